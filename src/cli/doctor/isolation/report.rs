//! The findings for a person: what matters stands at the end and has its remedy beside it.

use std::io::{self, Write};

use clap::ValueEnum as _;

use super::expectation::Expected;
use crate::cli::doctor::{
    finding::{Finding, Verdict},
    mark,
};

/// Prints them group by group, and then what they come to.
pub(in crate::cli::doctor) fn print(
    output: &mut dyn Write,
    expected: &Expected<'_>,
    findings: &[Finding],
) -> io::Result<()> {
    let mut last = None;
    for Finding { verdict, group, subject, found, remedy, .. } in findings {
        if *group != last {
            writeln!(output, "{}", group.unwrap_or_default())?;
            last = *group;
        }
        writeln!(output, "  {}  {subject:<18}  {found}", mark(*verdict))?;
        if let Some(remedy) = remedy {
            writeln!(output, "        {:<18}  → {remedy}", "")?;
        }
    }
    writeln!(output, "{}", sum(expected, findings))
}

/// What all findings come to.
fn sum(expected: &Expected<'_>, findings: &[Finding]) -> String {
    let tier = expected.tier.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let of = |verdict| findings.iter().filter(move |finding| finding.verdict == verdict);
    let mut missing: Vec<&str> = of(Verdict::Bad).map(|finding| finding.subject).collect();
    missing.dedup();
    let warnings = match of(Verdict::Warning).count() {
        0 => String::new(),
        1 => "; 1 warning".to_owned(),
        many => format!("; {many} warnings"),
    };
    match missing.as_slice() {
        [] => format!("{tier}: all {} required properties hold{warnings}", expected.count()),
        some => format!("{tier}: MISSING {}{warnings}", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::isolation::expectation::{Property, Tier};

    fn printed(findings: &[Finding]) -> String {
        let mut output = Vec::new();
        print(&mut output, &Expected::new(Tier::Container, &[]), findings).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn the_last_line_says_what_is_missing() {
        let expected = Expected::new(Tier::Container, &[]);
        let grouped = |group, finding| Finding { group: Some(group), ..finding };
        let findings = [
            grouped("privileges", expected.holds(Property::User, "64021:64021")),
            grouped("privileges", expected.lacks(Property::Seccomp, "no filter", "do this")),
            grouped("network", Finding::warning("routes", "default via 192.0.2.1 on eth0", "do that")),
        ];
        assert_eq!(
            printed(&findings),
            "privileges\n  good  user                64021:64021\n  BAD   seccomp             no filter\n                            → do this\n\
             network\n  warn  routes              default via 192.0.2.1 on eth0\n                            → do that\n\
             container: MISSING seccomp; 1 warning\n"
        );
        assert_eq!(printed(&[]), "container: all 20 required properties hold\n");
    }
}
