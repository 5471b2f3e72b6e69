#!/bin/sh
# Two hosts, each behind a NAT of its own, and a piece of internet between the NATs: network namespaces of this
# machine, joined to no real network. For a call through NATs with one machine.
set -eu

usage() {
    cat <<'END'
two-nats.sh up [A [B]]            make the networks; A and B say what stands before each host: port-restricted
                                  (the default), address-restricted, full-cone, symmetric, open (a router), or
                                  blocked (no UDP passes)
two-nats.sh exec HOST COMMAND...  run a command on a host: a, b, nat-a, nat-b or inet
two-nats.sh forget a|b            let that NAT forget its mappings; it gives the same ports again
two-nats.sh rebind a|b            let a port-restricted NAT forget its mappings and give other ports
two-nats.sh down                  end all that runs in the networks, and remove them

    a 10.0.1.2 -- nat-a 198.18.1.2 -- 198.18.0.1, 198.18.0.2 inet -- 198.18.2.2 nat-b -- 10.0.2.2 b

A host that is open or blocked is 198.18.11.2 (a) or 198.18.12.2 (b). On inet, a STUN server finds two addresses
to listen on, and a capture everything that passes between the NATs: interfaces nat-a and nat-b.
The namespaces are called visavis-a and so on; the environment variable NETS gives another name than visavis.
END
}

nets=${NETS:-visavis}

fail() {
    status=$1
    shift
    echo "two-nats.sh: $*" >&2
    exit "$status"
}

on() {
    host=$1
    shift
    ip netns exec "$nets-$host" "$@"
}

# The number that stands in the addresses of a side.
number() {
    case $1 in
    a) echo 1 ;;
    b) echo 2 ;;
    *) fail 2 "there is no side $1: it is a or b" ;;
    esac
}

# Joins two hosts: HOST INTERFACE ADDRESS, twice.
join() {
    ip link add "$2" netns "$nets-$1" type veth peer name "$5" netns "$nets-$4"
    plug "$1" "$2" "$3"
    plug "$4" "$5" "$6"
}

plug() {
    # Captures then show the checksums and datagrams of a real line.
    if command -v ethtool >/dev/null; then
        on "$1" ethtool -K "$2" tx off tso off gso off >/dev/null
    fi
    ip -n "$nets-$1" address add "$3" dev "$2"
    ip -n "$nets-$1" link set "$2" up
}

# A host of its own, without IPv6.
host() {
    ip netns add "$nets-$1"
    on "$1" sh -c 'for all in all default; do echo 1 >"/proc/sys/net/ipv6/conf/$all/disable_ipv6"; done' 2>/dev/null || true
    ip -n "$nets-$1" link set lo up
}

# The rules of a NAT: KIND, ADDRESS on the outside (wan), HOST on the inside (lan), and the PORTS to give instead
# of the host's own.
rules() {
    echo "flush ruleset"
    echo "table ip nat {"
    # Whom each port has sent to; ports are preserved.
    echo "set contacts { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 2m; }"
    echo "chain inbound { type nat hook prerouting priority dstnat;"
    case $1 in
    full-cone) echo "iifname wan ip daddr $2 meta l4proto udp dnat to $3;" ;;
    address-restricted) echo "iifname wan ip daddr $2 udp dport . ip saddr @contacts dnat to $3;" ;;
    esac
    echo "}"
    echo "chain outbound { type nat hook postrouting priority srcnat;"
    case $1 in
    open | blocked) ;;
    symmetric) echo "oifname wan meta l4proto udp masquerade random,fully-random;" ;;
    *) echo "oifname wan meta l4proto udp masquerade ${4:+to :$4};" ;;
    esac
    echo "}"
    echo "chain passing { type filter hook forward priority filter;"
    case $1 in
    blocked) echo "meta l4proto udp drop;" ;;
    address-restricted) echo "iifname lan meta l4proto udp update @contacts { udp sport . ip daddr };" ;;
    esac
    echo "}"
    # An early datagram of the peer would leave an entry that is in the way of the mapping to come.
    echo "chain own { type filter hook input priority filter; iifname wan ct state new drop; }"
    echo "}"
}

# Makes one side: SIDE KIND.
side() {
    n=$(number "$1")
    case $2 in
    open | blocked) lan=198.18.1$n ;;
    full-cone | address-restricted | port-restricted | symmetric) lan=10.0.$n ;;
    *) fail 2 "there is no NAT of the kind $2" ;;
    esac
    host "$1"
    host "nat-$1"
    join "$1" eth "$lan.2/24" "nat-$1" lan "$lan.1/24"
    join "nat-$1" wan "198.18.$n.2/24" inet "nat-$1" "198.18.$n.1/24"
    ip -n "$nets-$1" route add default via "$lan.1"
    ip -n "$nets-nat-$1" route add default via "198.18.$n.1"
    on "nat-$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    rules "$2" "198.18.$n.2" "$lan.2" | on "nat-$1" nft -f -
    case $2 in
    open | blocked) ip -n "$nets-inet" route add "$lan.0/24" via "198.18.$n.2" ;;
    esac
}

up() {
    down
    host inet
    ip -n "$nets-inet" address add 198.18.0.1/32 dev lo
    ip -n "$nets-inet" address add 198.18.0.2/32 dev lo
    on inet sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    side a "$1"
    side b "$2"
}

down() {
    for host in a b nat-a nat-b inet; do
        [ -e "/run/netns/$nets-$host" ] || continue
        for pid in $(ip netns pids "$nets-$host"); do
            kill -9 "$pid" 2>/dev/null || true
        done
        ip netns delete "$nets-$host"
    done
}

forget() {
    command -v conntrack >/dev/null || fail 3 "conntrack is needed: apt-get install conntrack"
    on "nat-$1" conntrack -F 2>/dev/null
}

rebind() {
    now=$(on "nat-$1" nft list chain ip nat outbound)
    inbound=$(on "nat-$1" nft list chain ip nat inbound)
    case $now$inbound in
    *dnat* | *random*) fail 2 "only a port-restricted NAT can be rebound" ;;
    *40000-49999*) ports=50000-59999 ;;
    *masquerade*) ports=40000-49999 ;;
    *) fail 2 "only a port-restricted NAT can be rebound" ;;
    esac
    n=$(number "$1")
    rules port-restricted "198.18.$n.2" "10.0.$n.2" "$ports" | on "nat-$1" nft -f -
    forget "$1"
}

task=${1:-help}
[ $# -eq 0 ] || shift
case $task in
up | exec | forget | rebind | down) ;;
help | -h | --help) usage && exit 0 ;;
*) usage >&2 && exit 2 ;;
esac
[ "$(id -u)" -eq 0 ] || fail 3 "root is needed, to make network namespaces"
for program in ip nft; do
    command -v $program >/dev/null || fail 3 "$program is needed: apt-get install iproute2 nftables"
done
case $task in
up) up "${1:-port-restricted}" "${2:-port-restricted}" ;;
exec) [ $# -ge 2 ] && on "$@" ;;
forget | rebind) number "${1:-}" >/dev/null && $task "$1" ;;
down) down ;;
esac
