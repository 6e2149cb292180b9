ipset restore < $fixtures/real/kube-proxy-ipvs.ipset
iptables-nft-restore < $fixtures/real/kube-proxy-ipvs.iptables
