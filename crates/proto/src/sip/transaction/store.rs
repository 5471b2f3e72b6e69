//! Where transactions live: a table with stable keys that never name two transactions.

/// Names an entry of a [`Store`]; stale once the entry is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Cell<T> {
    generation: u32,
    value: Option<T>,
}

/// A table whose cells are used again, each time under a new generation.
#[derive(Debug)]
pub(super) struct Store<T> {
    cells: Vec<Cell<T>>,
    free: Vec<u32>,
}

impl<T> Store<T> {
    pub(super) fn new() -> Self {
        Store { cells: Vec::new(), free: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop()
            && let Some(cell) = self.cells.get_mut(index as usize)
        {
            let key = Key { index, generation: cell.generation };
            cell.value = Some(value);
            return key;
        }
        let key = Key { index: self.cells.len() as u32, generation: 0 };
        self.cells.push(Cell { generation: 0, value: Some(value) });
        key
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        let cell = self.cells.get(key.index as usize)?;
        if cell.generation == key.generation { cell.value.as_ref() } else { None }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let cell = self.cells.get_mut(key.index as usize)?;
        if cell.generation == key.generation { cell.value.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let cell = self.cells.get_mut(key.index as usize)?;
        if cell.generation != key.generation {
            return None;
        }
        let value = cell.value.take()?;
        cell.generation = cell.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }

    /// Every entry, in an order that depends on the history of insertions and removals alone.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.cells.iter().enumerate().filter_map(|(index, cell)| {
            let key = Key { index: index as u32, generation: cell.generation };
            Some((key, cell.value.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_names_nothing_although_its_cell_is_used_again() {
        let mut store = Store::new();
        let a = store.insert('a');
        let b = store.insert('b');
        assert_eq!(store.remove(a), Some('a'));
        assert_eq!(store.remove(a), None);
        let c = store.insert('c');
        assert!(store.get(a).is_none() && store.get_mut(a).is_none());
        assert_eq!((store.get(b), store.get(c)), (Some(&'b'), Some(&'c')));
        assert_eq!(store.iter().collect::<Vec<_>>(), [(c, &'c'), (b, &'b')]);
        assert_eq!(store.len(), 2);
    }
}
