//! Where the network leads.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use super::{
    expectation::{CANNOT_TELL, Expected, Property},
    listed, read,
};
use crate::{
    cli::doctor::finding::{Finding, Verdict},
    sandbox::around::network::{self, Route},
};

/// Where clouds give a machine's own keys to whoever asks from inside it: IPv4 with nearly all of them, IPv6 with Amazon's.
const METADATA: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254))];
/// HTTP, which all of them speak.
const PORT: u16 = 80;
/// Such a service stands in the machine below or beside it and answers in a few milliseconds; clients of clouds themselves give
/// up after one second.
const PATIENCE: Duration = Duration::from_millis(500);

pub(super) fn findings(expected: &Expected<'_>) -> Vec<Finding> {
    let routes = network::routes(
        &read("/proc/self/net/route").unwrap_or_default(),
        // Absent where the kernel has no IPv6.
        &read("/proc/self/net/ipv6_route").unwrap_or_default(),
    );
    let interfaces = read("/proc/self/net/dev").map(|text| network::interfaces(&text, &routes));
    vec![
        judge_interfaces(expected, interfaces.as_deref()),
        judge_routes(interfaces.is_some().then_some(routes.as_slice())),
        metadata(expected, &METADATA.map(|address| (address, ask(SocketAddr::new(address, PORT))))),
    ]
}

fn judge_interfaces(expected: &Expected<'_>, interfaces: Option<&[String]>) -> Finding {
    match interfaces {
        None => expected.unknown(Property::Network, "there is no /proc/self/net/dev"),
        Some([]) => expected.holds(Property::Network, "only the loopback"),
        Some(some) => expected.lacks(
            Property::Network,
            format!("interfaces beside the loopback: {}", listed(some)),
            "docker run --network=none; where applications need a network, an internal one whose only way out is a proxy, and \
             --allow network here",
        ),
    }
}

fn judge_routes(routes: Option<&[Route]>) -> Finding {
    let subject = "routes";
    let Some(routes) = routes else {
        return Finding::warning(subject, "cannot tell: there is no /proc/self/net", CANNOT_TELL);
    };
    let told: Vec<String> = routes.iter().map(ToString::to_string).collect();
    if routes.is_empty() {
        Finding::good(subject, "to no other machine")
    } else if routes.iter().any(|route| route.destination == "default") {
        Finding::warning(
            subject,
            format!("to everywhere: {}", listed(&told)),
            "docker network create --internal, and a proxy with a list of what it lets through as the only way out",
        )
    } else {
        Finding::good(subject, format!("only {}", listed(&told)))
    }
}

/// What became of asking for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// The kernel knows no way there; nothing was sent.
    NoRoute,
    /// There is a way, and the network said that it leads nowhere or is forbidden.
    Refused(String),
    /// There is a way, and nobody answered in time.
    Silence,
    /// Somebody takes connections there.
    Connected,
    /// No socket could be had to ask with.
    NoSocket(String),
}

/// Asks the kernel for the route, which takes all its tables and rules into account, and only where there is one the address
/// itself. A UDP socket that is connected has sent nothing.
fn ask(address: SocketAddr) -> Answer {
    let from: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = match UdpSocket::bind((from, 0)) {
        Ok(socket) => socket,
        Err(error) if is_without_family(&error) => return Answer::NoRoute,
        Err(error) => return Answer::NoSocket(error.to_string()),
    };
    if let Err(error) = socket.connect(address) {
        return if is_nowhere(&error) { Answer::NoRoute } else { Answer::NoSocket(error.to_string()) };
    }
    match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(_) => Answer::Connected,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Answer::Silence,
        Err(error) => Answer::Refused(error.to_string()),
    }
}

/// Whether this kernel has no such addresses at all, as with `ipv6.disable`.
fn is_without_family(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL].iter().any(|none| error.raw_os_error() == Some(none.raw_os_error()))
}

/// Whether the kernel has no route, or one that it keeps as "unreachable"; without an address to come from there is none either.
fn is_nowhere(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable, PermissionDenied};
    // A route of the kind `prohibit` answers EACCES.
    [AddrNotAvailable, HostUnreachable, NetworkUnreachable, PermissionDenied].contains(&error.kind())
}

fn metadata(expected: &Expected<'_>, answers: &[(IpAddr, Answer)]) -> Finding {
    const REMEDY: &str = "docker run --network=none, or refuse 169.254.169.254 and fd00:ec2::254 in the machine's firewall; on Amazon: \
                          a hop limit of 1";
    let tell = |(address, answer): &(IpAddr, Answer)| match answer {
        Answer::NoRoute => format!("no route to {address}"),
        Answer::Refused(reason) => format!("{address} is routed, and a connection fails: {reason}"),
        Answer::Silence => format!("{address} is routed, and nobody answers within {} ms", PATIENCE.as_millis()),
        Answer::Connected => {
            format!("{address} is routed and takes connections: whoever asks may get this machine's keys")
        }
        Answer::NoSocket(reason) => format!("cannot tell of {address}: {reason}"),
    };
    let is = |wanted: fn(&Answer) -> bool| answers.iter().filter(move |(_, answer)| wanted(answer));
    let connected: Vec<String> = is(|answer| *answer == Answer::Connected).map(tell).collect();
    if !connected.is_empty() {
        return expected.lacks(Property::Metadata, connected.join("; "), REMEDY);
    }
    let unknown: Vec<String> = is(|answer| matches!(answer, Answer::NoSocket(_))).map(tell).collect();
    if !unknown.is_empty() {
        return expected.lacks(Property::Metadata, unknown.join("; "), REMEDY);
    }
    let routed: Vec<String> = is(|answer| *answer != Answer::NoRoute).map(tell).collect();
    if routed.is_empty() {
        let all: Vec<String> = answers.iter().map(|(address, _)| address.to_string()).collect();
        return expected.holds(Property::Metadata, format!("no route to {}", all.join(" and ")));
    }
    // Nobody answers now, and only a firewall or chance says so.
    Finding { verdict: Verdict::Warning, ..expected.lacks(Property::Metadata, routed.join("; "), REMEDY) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::isolation::expectation::Tier;
    use std::net::TcpListener;

    const CONTAINER: Expected<'_> = Expected::new(Tier::Container, &[]);

    fn told(answer: Answer) -> (Verdict, String) {
        let finding = metadata(&CONTAINER, &[(METADATA[0], answer), (METADATA[1], Answer::NoRoute)]);
        (finding.verdict, finding.found)
    }

    #[test]
    fn only_the_loopback_is_good() {
        assert_eq!(judge_interfaces(&CONTAINER, Some(&[])).verdict, Verdict::Good);
        let found = judge_interfaces(&CONTAINER, Some(&["eth0".into()]));
        assert_eq!((found.verdict, found.found.as_str()), (Verdict::Bad, "interfaces beside the loopback: eth0"));
        assert_eq!(judge_interfaces(&CONTAINER, None).verdict, Verdict::Bad);
        let allowed = Expected::new(Tier::Container, &[Property::Network]);
        assert_eq!(judge_interfaces(&allowed, Some(&["eth0".into()])).verdict, Verdict::Warning);
    }

    #[test]
    fn a_way_to_everywhere_is_warned_about() {
        let route = |destination: &str| Route { destination: destination.into(), gateway: None, device: "eth0".into() };
        assert_eq!(judge_routes(Some(&[])).verdict, Verdict::Good);
        assert_eq!(judge_routes(Some(&[route("172.20.0.0/16")])).verdict, Verdict::Good);
        assert_eq!(judge_routes(Some(&[route("172.20.0.0/16"), route("default")])).verdict, Verdict::Warning);
        assert_eq!(judge_routes(None).verdict, Verdict::Warning);
    }

    #[test]
    fn metadata_is_good_where_it_has_no_route_and_bad_where_it_answers() {
        assert_eq!(told(Answer::NoRoute), (Verdict::Good, "no route to 169.254.169.254 and fd00:ec2::254".into()));
        assert_eq!(told(Answer::Connected).0, Verdict::Bad);
        assert_eq!(told(Answer::NoSocket("no".into())).0, Verdict::Bad);
        let (verdict, found) = told(Answer::Silence);
        assert_eq!(verdict, Verdict::Warning);
        assert_eq!(found, "169.254.169.254 is routed, and nobody answers within 500 ms");
        assert_eq!(told(Answer::Refused("refused".into())).0, Verdict::Warning);
    }

    #[test]
    fn asking_tells_a_listener_from_a_closed_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(ask(address), Answer::Connected);
        drop(listener);
        assert!(matches!(ask(address), Answer::Refused(_)));
    }
}
