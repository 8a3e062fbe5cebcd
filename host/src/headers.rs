//! Header maps as the host holds them: ordered, with repeated names, values of any bytes.

use std::fmt;

/// Headers or trailers. Names compare without regard to ASCII case and are kept in lower case, as Envoy keeps
/// them; values are bytes and need not be UTF-8.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first value under `name`.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.all(name.as_ref()).next()
    }

    /// The first value under `name` as text, with what is not UTF-8 replaced: for assertions and messages.
    pub fn text(&self, name: impl AsRef<[u8]>) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Every value under `name`, in order.
    pub fn all(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether there is a value under `name`.
    pub fn contains(&self, name: impl AsRef<[u8]>) -> bool {
        self.get(name).is_some()
    }

    /// Adds a value, beside those that `name` has.
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0.push((name.as_ref().to_ascii_lowercase(), value.as_ref().to_vec()));
    }

    /// Makes this the only value under `name`, where its first one was.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = name.as_ref().to_ascii_lowercase();
        match self.0.iter().position(|(key, _)| *key == name) {
            None => self.add(name, value),
            Some(at) => {
                if let Some((_, old)) = self.0.get_mut(at) {
                    *old = value.as_ref().to_vec();
                }
                let mut index = 0;
                self.0.retain(|(key, _)| {
                    index += 1;
                    index <= at + 1 || *key != name
                });
            }
        }
    }

    /// Drops every value under `name`.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) {
        let name = name.as_ref();
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    /// Every name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// How many values there are: a name with two values counts twice.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The bytes of all names and values.
    pub fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.add(name, value);
        }
        headers
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>, const COUNT: usize> From<[(N, V); COUNT]> for Headers {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> From<&[(N, V)]> for Headers {
    fn from(pairs: &[(N, V)]) -> Self {
        pairs.iter().map(|(name, value)| (name, value)).collect()
    }
}

/// One `name: value` a line, so that a failed assertion can be read.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(
                self.iter().map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii())),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Headers;

    #[test]
    fn set_leaves_one_value_where_the_first_one_was() {
        let mut headers = Headers::from([("a", "1"), ("B", "2"), ("c", "3"), ("b", "4")]);
        headers.set("B", [0xff]);
        let pairs: Vec<_> = headers.iter().collect();
        assert_eq!(
            pairs,
            [(&b"a"[..], &b"1"[..]), (&b"b"[..], &[0xff_u8][..]), (&b"c"[..], &b"3"[..])],
            "names are lower case, values bytes"
        );
        headers.set("new", "5");
        assert_eq!(headers.text("NEW").as_deref(), Some("5"));
    }

    #[test]
    fn a_name_may_have_several_values() {
        let mut headers = Headers::from([("cookie", "a=1"), ("x", ""), ("Cookie", "b=2")]);
        assert_eq!(headers.all(b"COOKIE").count(), 2);
        assert_eq!(headers.get("x"), Some(&b""[..]), "an empty value is a value");
        headers.remove("cookie");
        assert_eq!(headers.len(), 1);
    }
}
