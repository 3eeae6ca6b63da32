//! `/proc/net/dev`, `/proc/net/route` and `/proc/net/ipv6_route` (`proc_net(5)`): the interfaces and where they lead.
//!
//! These texts are those of the process's own network namespace, also where `/sys` is another's (`unshare --net` leaves it as
//! it was), and need neither a socket nor a filter that allows one. The IPv4 text has the main table only: whether an address is
//! routed at all is better asked of the kernel.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The interface that leads nowhere else.
pub const LOOPBACK: &str = "lo";
/// What the kernel puts into each namespace when it has the module of a tunnel (`net.core.fb_tunnels_only_for_init_net`):
/// it is down, and without routes nothing goes through.
const TEMPLATES: [&str; 9] =
    ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];
/// Flags of a route (`linux/route.h`, `linux/ipv6_route.h`): it is up; it refuses.
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// A way to other machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Address and length of its prefix; `default` for everything.
    pub destination: String,
    /// Whom it goes through.
    pub gateway: Option<String>,
    /// The interface.
    pub device: String,
}

impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.destination)?;
        if let Some(gateway) = &self.gateway {
            write!(formatter, " via {gateway}")?;
        }
        write!(formatter, " on {}", self.device)
    }
}

/// The interfaces of `/proc/net/dev` that are not the loopback, and no template without a route.
pub fn interfaces(text: &str, routes: &[Route]) -> Vec<String> {
    let is_used = |name: &str| routes.iter().any(|route| route.device == name);
    text.lines()
        .skip(2)
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .filter(|name| *name != LOOPBACK && (!TEMPLATES.contains(name) || is_used(name)))
        .map(str::to_owned)
        .collect()
}

/// The routes of both texts to other machines.
pub fn routes(ipv4: &str, ipv6: &str) -> Vec<Route> {
    let four = ipv4.lines().skip(1).filter_map(route4);
    let six = ipv6.lines().filter_map(route6);
    four.chain(six).filter(|route| route.device != LOOPBACK).collect()
}

fn route4(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[device, destination, gateway, flags, _, _, _, mask, ..] = fields.as_slice() else { return None };
    leads_on(flags)?;
    // The number is the address as it stands in memory.
    let number = |text| u32::from_str_radix(text, 16).ok();
    let address = |text| Some(Ipv4Addr::from(number(text)?.to_ne_bytes()));
    let (destination, length) = (address(destination)?, number(mask)?.count_ones());
    let gateway = address(gateway)?;
    Some(Route {
        destination: prefix(&destination, destination.is_unspecified(), length),
        gateway: (!gateway.is_unspecified()).then(|| gateway.to_string()),
        device: device.to_owned(),
    })
}

fn route6(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[destination, length, _, _, gateway, _, _, _, flags, device] = fields.as_slice() else { return None };
    leads_on(flags)?;
    let address = |text| Some(Ipv6Addr::from(u128::from_str_radix(text, 16).ok()?));
    let (destination, length) = (address(destination)?, u32::from_str_radix(length, 16).ok()?);
    // Every interface has these to itself: its own addresses, and the multicast that it listens to.
    let is_local = length == 128 || destination.is_multicast();
    let gateway = address(gateway)?;
    (!is_local).then(|| Route {
        destination: prefix(&destination, destination.is_unspecified(), length),
        gateway: (!gateway.is_unspecified()).then(|| gateway.to_string()),
        device: device.to_owned(),
    })
}

fn leads_on(flags: &str) -> Option<()> {
    let flags = u32::from_str_radix(flags, 16).ok()?;
    (flags & UP != 0 && flags & REJECT == 0).then_some(())
}

fn prefix(address: &dyn fmt::Display, is_unspecified: bool, length: u32) -> String {
    if is_unspecified && length == 0 { "default".to_owned() } else { format!("{address}/{length}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Inter-|   Receive                                                |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";
    const ALONE: &str = "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n";
    const ETHERNET: &str = "  eth0: 1296   16    0    0    0     0          0         0     1026      13    0    0    0     0       0          0\n";
    const TUNNEL: &str = " tunl0:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n";
    const ROUTES4: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
        *\tFEA9FEA9\t00000000\t0205\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n";
    const ROUTES6: &str = "\
fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo
fd000000000000000000000000000002 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001     eth0
ff000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000003 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";
    /// What a namespace with only its loopback has.
    const NOWHERE6: &str = "\
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";

    #[test]
    fn a_container_without_a_network_has_only_its_loopback() {
        let routes = routes("Iface\tDestination\tGateway\n", NOWHERE6);
        assert_eq!(routes, []);
        assert_eq!(interfaces(&format!("{HEADER}{ALONE}"), &routes), [""; 0]);
    }

    #[test]
    fn ways_out_are_named_with_their_gateways() {
        let routes = routes(ROUTES4, ROUTES6);
        let shown: Vec<String> = routes.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "default via 192.0.2.1 on eth0",
                "172.17.0.0/16 on docker0",
                "fd00::/64 on eth0",
                "default via fd00::1 on eth0"
            ],
            "neither what refuses nor what stays here"
        );
        assert_eq!(interfaces(&format!("{HEADER}{ALONE}{ETHERNET}"), &routes), ["eth0"]);
    }

    #[test]
    fn a_tunnel_counts_once_something_goes_through_it() {
        let text = format!("{HEADER}{ALONE}{TUNNEL}");
        assert_eq!(interfaces(&text, &[]), [""; 0]);
        let through = Route { destination: "default".into(), gateway: None, device: "tunl0".into() };
        assert_eq!(interfaces(&text, &[through]), ["tunl0"]);
    }

    #[test]
    fn lines_of_another_form_are_left_out() {
        assert_eq!(routes("header\neth0 00\nx y z 0001 0 0 0 0\n", "00 00\nnonsense\n"), []);
    }
}
