#include "tests/e2e/fin_scan.h"

namespace finwait::e2e {

void ScanWithFins(const lab::Namespace& where) {
  where.Shell(
      "/usr/bin/python3 -c \"\n"
      "import socket,struct\n"
      "s=socket.socket(socket.AF_INET,socket.SOCK_RAW,socket.IPPROTO_TCP)\n"
      "def ck(b):\n"
      "  t=sum(struct.unpack('!%dH'%(len(b)//2),b))\n"
      "  while t>>16: t=(t&0xffff)+(t>>16)\n"
      "  return ~t&0xffff\n"
      "for i in range(50):\n"
      "  h=struct.pack('!HHIIBBHHH',30000+i,9,1,1,5<<4,0x01,1024,0,0)\n"
      "  p=socket.inet_aton('192.0.2.2')+socket.inet_aton('192.0.2.1')+struct.pack('!BBH',0,6,len(h))\n"
      "  h=struct.pack('!HHIIBBHHH',30000+i,9,1,1,5<<4,0x01,1024,ck(p+h),0)\n"
      "  s.sendto(h,('192.0.2.1',0))\n\"");
}

}  // namespace finwait::e2e
