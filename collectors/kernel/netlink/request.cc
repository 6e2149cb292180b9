#include "collectors/kernel/netlink/request.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>

#include <cstring>
#include <stdexcept>

namespace finwait::kernel::netlink {

Request::Request(std::uint16_t type, std::uint16_t flags) : buffer_(kCapacity) {
  nlmsghdr* head = mnl_nlmsg_put_header(buffer_.data());
  head->nlmsg_type = type;
  head->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
}

nlmsghdr* Request::Head() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }

std::uint16_t Request::Type() const { return reinterpret_cast<const nlmsghdr*>(buffer_.data())->nlmsg_type; }

Bytes Request::Data() const {
  if (!nests_.empty()) {
    throw std::logic_error("netlink request with an attribute that was not closed");
  }
  return Bytes(buffer_.data(), reinterpret_cast<const nlmsghdr*>(buffer_.data())->nlmsg_len);
}

void Request::Require(std::size_t payload) {
  if (Head()->nlmsg_len + MNL_ATTR_HDRLEN + MNL_ALIGN(payload) > kCapacity) {
    throw std::length_error("netlink request larger than Request::kCapacity");
  }
}

void Request::PutHeader(const void* header, std::size_t size) {
  Require(size);
  std::memcpy(mnl_nlmsg_put_extra_header(Head(), size), header, size);
}

Request& Request::PutU8(std::uint16_t type, std::uint8_t value) {
  Require(sizeof value);
  mnl_attr_put_u8(Head(), type, value);
  return *this;
}

Request& Request::PutU32(std::uint16_t type, std::uint32_t value) {
  Require(sizeof value);
  mnl_attr_put_u32(Head(), type, value);
  return *this;
}

Request& Request::PutBigEndian16(std::uint16_t type, std::uint16_t value) {
  Require(sizeof value);
  mnl_attr_put_u16(Head(), type, htons(value));
  return *this;
}

Request& Request::PutBigEndian32(std::uint16_t type, std::uint32_t value) {
  Require(sizeof value);
  mnl_attr_put_u32(Head(), type, htonl(value));
  return *this;
}

Request& Request::PutBigEndian64(std::uint16_t type, std::uint64_t value) {
  Require(sizeof value);
  mnl_attr_put_u64(Head(), type, htobe64(value));
  return *this;
}

Request& Request::PutText(std::uint16_t type, const std::string& value) {
  Require(value.size() + 1);
  mnl_attr_put_strz(Head(), type, value.c_str());
  return *this;
}

Request& Request::PutBytes(std::uint16_t type, Bytes value) {
  Require(value.size());
  mnl_attr_put(Head(), type, value.size(), value.data());
  return *this;
}

Request& Request::BeginNested(std::uint16_t type) {
  Require(0);
  const nlattr* nest = mnl_attr_nest_start(Head(), type);
  nests_.push_back(static_cast<std::size_t>(reinterpret_cast<const std::byte*>(nest) - buffer_.data()));
  return *this;
}

Request& Request::EndNested() {
  if (nests_.empty()) {
    throw std::logic_error("netlink request: no nested attribute to close");
  }
  mnl_attr_nest_end(Head(), reinterpret_cast<nlattr*>(buffer_.data() + nests_.back()));
  nests_.pop_back();
  return *this;
}

}  // namespace finwait::kernel::netlink
