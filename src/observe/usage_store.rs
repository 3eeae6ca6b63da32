//! The tokens of the month on the disk, in an embedded database: a report is answered when it would survive a power cut.

use std::path::Path;

use redb::{Database, ReadableTable as _, TableDefinition};

use crate::protocol::usage::Used;

/// User and month → tokens.
const TABLE: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("tokens");
/// The file in the state directory.
const FILE: &str = "usage.redb";

/// What the database says.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(Box<redb::Error>);

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

/// The database.
#[derive(Debug)]
pub struct UsageStore {
    database: Database,
}

impl UsageStore {
    /// Opens it, or begins one. A file that was left in the middle of a change is put in order.
    ///
    /// # Errors
    /// What the database says: it is another program's file, another process has it, the directory cannot be written.
    pub fn open(state: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(state)?;
        let database = Database::create(state.join(FILE))?;
        let begun = database.begin_write()?;
        begun.open_table(TABLE)?;
        begun.commit()?;
        Ok(Self { database })
    }

    /// Everything in it that can be read.
    ///
    /// # Errors
    /// What the database says.
    pub fn read(&self) -> Result<Vec<Used>, StoreError> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        let mut all = Vec::new();
        for row in table.iter()? {
            let (key, tokens) = row?;
            let (user, month) = key.value();
            if let (Ok(user), Ok(month)) = (user.to_owned().try_into(), month.parse()) {
                all.push(Used { user, month, tokens: tokens.value() });
            }
        }
        Ok(all)
    }

    /// Writes what a user has used of a month. It is on the disk when this returns.
    ///
    /// # Errors
    /// What the database says.
    pub fn put(&self, used: &Used) -> Result<(), StoreError> {
        let change = self.database.begin_write()?;
        {
            let mut table = change.open_table(TABLE)?;
            let month = used.month.to_string();
            let key = (used.user.as_str(), month.as_str());
            // Reports of one user may arrive here in another order than they were counted in.
            let known = table.get(key)?.map_or(0, |known| known.value());
            table.insert(key, known.max(used.tokens))?;
        }
        change.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_never_becomes_less() {
        let directory = tempfile::tempdir().unwrap();
        let used =
            |tokens| Used { user: "u".to_owned().try_into().unwrap(), month: "2026-11".parse().unwrap(), tokens };
        let store = UsageStore::open(directory.path()).unwrap();
        assert_eq!(store.read().unwrap(), []);
        store.put(&used(7)).unwrap();
        store.put(&used(5)).unwrap();
        drop(store);
        assert_eq!(UsageStore::open(directory.path()).unwrap().read().unwrap(), [used(7)]);
    }

    #[test]
    fn another_programs_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), "not a database").unwrap();
        assert!(UsageStore::open(directory.path()).is_err());
    }
}
