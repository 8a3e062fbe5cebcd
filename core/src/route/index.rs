//! Finding the route of a request without trying every route.
//!
//! Hosts lead to groups (exact, then suffix by suffix, then any host), and a group's paths are found in one hash table
//! by the whole path and by each prefix that ends where a segment does. A request therefore costs a look-up for each
//! label of its host and each segment of its path, however many routes there are; only routes that share host and path
//! pattern are tried one by one. The first in the document wins, so every hit is compared by its number.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::RouteId;
use crate::text::{Arena, Interner, Text, random_seed};

/// The group of routes that name no host.
const ANY_HOST: u32 = 0;

/// What keeps exact paths and prefixes apart in the table.
const EXACT: u64 = 0;
const PREFIX: u64 = 1;

/// Where a request's path must lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathPattern {
    Exact(Text),
    /// Without a slash at its end.
    Prefix(Text),
}

#[derive(Clone, Copy, Debug)]
struct Host {
    /// The name; a suffix with its leading dot.
    pattern: Text,
    group: u32,
}

#[derive(Debug)]
struct Entry {
    group: u32,
    pattern: PathPattern,
    /// In ascending order.
    routes: Vec<u32>,
}

/// What a group's paths look like, so that a request is not asked for what no route has.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    exact: bool,
    /// The most segments of a prefix; `None` without prefixes.
    segments: Option<u16>,
}

/// Routes by host and path.
#[derive(Debug, Default)]
pub(crate) struct Index {
    hosts: HashTable<Host>,
    groups: Vec<Group>,
    paths: HashTable<Entry>,
    /// What hosts and paths are hashed with.
    seed: u64,
}

/// Builds an [`Index`] from routes in the order of the document.
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    index: Index,
}

impl Default for IndexBuilder {
    fn default() -> Self {
        Self::new(0)
    }
}

impl IndexBuilder {
    /// A builder with room for so many pairs of a host and a path.
    pub(crate) fn new(places: usize) -> Self {
        let index = Index {
            groups: vec![Group::default()],
            paths: HashTable::with_capacity(places),
            seed: random_seed(),
            ..Index::default()
        };
        Self { index }
    }

    /// Adds a route under host patterns (`None`: any host; a suffix begins with its dot; in lower case) and a path.
    pub(crate) fn add(
        &mut self,
        texts: &Interner,
        hosts: &[Option<Text>],
        path: PathPattern,
        route: RouteId,
    ) {
        // Once for all hosts: there may be as many as the path has bytes.
        let (text, kind) = path.parts();
        let bytes = texts.get(text).as_bytes();
        let path_hash = xxh3_64_with_seed(bytes, self.index.seed);
        let slashes = bytes.iter().filter(|byte| **byte == b'/').count();
        let segments = (kind == PREFIX).then(|| u16::try_from(slashes).unwrap_or(u16::MAX));
        for host in hosts {
            let group = host.map_or(ANY_HOST, |host| self.group(texts, host));
            if let Some(group) = self.index.groups.get_mut(group as usize) {
                group.exact |= segments.is_none();
                group.segments = group.segments.max(segments);
            }
            self.add_place(texts, group, path, path_hash, route);
        }
    }

    fn add_place(&mut self, texts: &Interner, group: u32, path: PathPattern, path_hash: u64, route: RouteId) {
        let seed = self.index.seed;
        let hash = joined(path_hash, group, path.parts().1);
        let found = self.index.paths.find_mut(hash, |entry| entry.group == group && entry.pattern == path);
        match found {
            Some(entry) if entry.routes.last() == Some(&route.0) => {}
            Some(entry) => entry.routes.push(route.0),
            None => {
                let entry = Entry { group, pattern: path, routes: vec![route.0] };
                self.index.paths.insert_unique(hash, entry, |entry| {
                    let (text, kind) = entry.pattern.parts();
                    self::hash(texts.get(text).as_bytes(), seed, entry.group, kind)
                });
            }
        }
    }

    fn group(&mut self, texts: &Interner, pattern: Text) -> u32 {
        let seed = self.index.seed;
        let hash = host_hash(texts.get(pattern).as_bytes(), seed);
        if let Some(host) = self.index.hosts.find(hash, |host| host.pattern == pattern) {
            return host.group;
        }
        let group = self.index.groups.len() as u32;
        self.index.groups.push(Group::default());
        let host = Host { pattern, group };
        self.index
            .hosts
            .insert_unique(hash, host, |host| host_hash(texts.get(host.pattern).as_bytes(), seed));
        group
    }

    pub(crate) fn finish(self) -> Index {
        self.index
    }
}

impl PathPattern {
    /// The text, and what keeps exact paths and prefixes apart in the table.
    pub(crate) fn parts(self) -> (Text, u64) {
        match self {
            Self::Exact(text) => (text, EXACT),
            Self::Prefix(text) => (text, PREFIX),
        }
    }
}

fn hash(path: &[u8], seed: u64, group: u32, kind: u64) -> u64 {
    joined(xxh3_64_with_seed(path, seed), group, kind)
}

/// The hash of a path in a group: multiplied by odd numbers, so that neither hides the other.
fn joined(path: u64, group: u32, kind: u64) -> u64 {
    let place = (u64::from(group) << 1 | kind).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (path ^ place ^ place >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

fn host_hash(host: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(host, seed)
}

/// What is looked for, and who is told of what is found.
struct Search<'a, F> {
    index: &'a Index,
    texts: &'a Arena,
    path: &'a [u8],
    /// Takes the routes of an entry, in ascending order.
    found: F,
}

impl Index {
    /// Whether it has no routes.
    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether any of its routes names a host.
    pub(crate) fn names_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// The first route at `path` under `host`, in lower case, that `accepts`. No host at all (`None`) is under no name.
    pub(crate) fn find(
        &self,
        texts: &Arena,
        host: Option<&[u8]>,
        path: &[u8],
        accepts: impl Fn(RouteId) -> bool,
    ) -> Option<RouteId> {
        let mut best: Option<u32> = None;
        self.visit(texts, host, path, |routes| {
            let mut better = routes.iter().take_while(|route| best.is_none_or(|best| **route < best));
            if let Some(route) = better.find(|route| accepts(RouteId(**route))) {
                best = Some(*route);
            }
        });
        best.map(RouteId)
    }

    /// Calls `found` with the routes of each pattern that `path` under `host` matches.
    pub(crate) fn visit(&self, texts: &Arena, host: Option<&[u8]>, path: &[u8], found: impl FnMut(&[u32])) {
        let mut search = Search { index: self, texts, path, found };
        self.groups_of(texts, host, |group| search.group(group));
    }

    /// Calls `found` with the routes of each pattern that `meets`, by whether it is exact and by its text, under `host`;
    /// where there is no host, under every one. It looks at every entry.
    pub(crate) fn scan(
        &self,
        texts: &Arena,
        host: Option<&[u8]>,
        meets: impl Fn(bool, &str) -> bool,
        mut found: impl FnMut(&[u32]),
    ) {
        let mut groups = Vec::new();
        self.groups_of(texts, host, |group| groups.push(group));
        for entry in self.paths.iter().filter(|entry| host.is_none() || groups.contains(&entry.group)) {
            let (text, kind) = entry.pattern.parts();
            if meets(kind == EXACT, texts.get(text)) {
                found(&entry.routes);
            }
        }
    }

    /// Calls `found` with the group of each pattern that `host` matches.
    fn groups_of(&self, texts: &Arena, host: Option<&[u8]>, mut found: impl FnMut(u32)) {
        if let Some(host) = host.filter(|_| self.names_hosts()) {
            let mut look_up = |pattern: &[u8]| {
                let is = |host: &Host| texts.get(host.pattern).as_bytes() == pattern;
                if let Some(host) = self.hosts.find(host_hash(pattern, self.seed), is) {
                    found(host.group);
                }
            };
            look_up(host);
            for (dot, _) in host.iter().enumerate().filter(|(_, byte)| **byte == b'.') {
                look_up(host.get(dot..).unwrap_or_default());
            }
        }
        found(ANY_HOST);
    }

    /// Under which hosts a route stands; none for every host. It looks at every entry: for explanations only.
    pub(crate) fn hosts_of(&self, route: RouteId) -> Vec<Text> {
        let entries = self.paths.iter().filter(|entry| entry.routes.contains(&route.0));
        let host = |group| self.hosts.iter().find(|host| host.group == group).map(|host| host.pattern);
        entries.filter_map(|entry| host(entry.group)).collect()
    }

    pub(crate) fn size(&self) -> usize {
        self.hosts.allocation_size()
            + self.paths.allocation_size()
            + self.groups.capacity() * size_of::<Group>()
            + self.paths.iter().map(|entry| entry.routes.capacity() * size_of::<u32>()).sum::<usize>()
    }
}

impl<F: FnMut(&[u32])> Search<'_, F> {
    fn group(&mut self, group: u32) {
        let Some(shape) = self.index.groups.get(group as usize) else { return };
        if shape.exact {
            self.path(group, self.path, EXACT);
        }
        let Some(most) = shape.segments else { return };
        self.path(group, b"", PREFIX);
        let slashes = self.path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
        let ends = slashes.map(|(end, _)| end).chain([self.path.len()]);
        for end in ends.take(usize::from(most)) {
            self.path(group, self.path.get(..end).unwrap_or_default(), PREFIX);
        }
    }

    fn path(&mut self, group: u32, path: &[u8], kind: u64) {
        let found = self.index.paths.find(hash(path, self.index.seed, group, kind), |entry| {
            let (text, entry_kind) = entry.pattern.parts();
            entry.group == group && entry_kind == kind && self.texts.get(text).as_bytes() == path
        });
        if let Some(entry) = found {
            (self.found)(&entry.routes);
        }
    }
}
