//! `/proc/self/uid_map` (`user_namespaces(7)`): who the users in here are outside.

/// One run of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    inside: u32,
    outside: u32,
    length: u32,
}

/// The whole map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdMap(Vec<Run>);

impl IdMap {
    /// Reads the text; `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let run = |line: &str| {
            let mut numbers = line.split_whitespace().map(str::parse);
            let mut next = || numbers.next()?.ok();
            Some(Run { inside: next()?, outside: next()?, length: next()? })
        };
        let runs: Vec<Run> = text.lines().map(run).collect::<Option<_>>()?;
        (!runs.is_empty()).then_some(Self(runs))
    }

    /// Whether every id is itself, as it is where there is no user namespace but the machine's own.
    pub fn is_the_machines_own(&self) -> bool {
        self.0 == [Run { inside: 0, outside: 0, length: u32::MAX }]
    }

    /// Who this id is outside.
    pub fn outside(&self, id: u32) -> Option<u32> {
        let run = self.0.iter().find(|run| id.checked_sub(run.inside).is_some_and(|offset| offset < run.length))?;
        run.outside.checked_add(id - run.inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_own_maps_all_to_themselves() {
        let map = IdMap::parse("         0          0 4294967295\n").unwrap();
        assert!(map.is_the_machines_own());
        assert_eq!((map.outside(64021), map.outside(0)), (Some(64021), Some(0)));
    }

    #[test]
    fn a_remapped_root_is_somebody_else_outside() {
        let map = IdMap::parse("         0     100000      65536\n     65536       1000          1\n").unwrap();
        assert!(!map.is_the_machines_own());
        assert_eq!((map.outside(0), map.outside(64021)), (Some(100_000), Some(164_021)));
        assert_eq!((map.outside(65_536), map.outside(65_537)), (Some(1000), None));
    }

    #[test]
    fn what_is_no_map_is_none() {
        for text in ["", "0 0\n", "a b c\n", "0 0 -1\n"] {
            assert_eq!(IdMap::parse(text), None, "{text:?}");
        }
    }
}
