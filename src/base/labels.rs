//! What the program states about an entry apart from its value: the version of its data (rule R06) and its tags (rule R11).

use super::Status;
use std::fmt;

/// The longest version, and the longest tag, in bytes.
pub const LABEL_MAX: usize = 255;

/// The maximum number of tags on an entry.
pub const TAGS_MAX: usize = 16;

/// The version and the tags of an entry. At least one of the two is present: an entry with neither has no `Labels`.
///
/// Layout: the version (may be empty), then the tags (never empty), each preceded by its length in one byte. Boxed twice, so that the terms
/// of an entry without labels contain one null pointer instead of two words.
#[derive(Clone, PartialEq, Eq)]
pub struct Labels(Box<Box<[u8]>>);

const _: () = assert!(size_of::<Option<Labels>>() == size_of::<usize>());

impl Labels {
    /// Packs a version, which is empty if there is none, and tags. `None`: there is neither. A repeated tag is stored once, but each
    /// mention counts towards [`TAGS_MAX`].
    ///
    /// Fails with ERR_BAD_VALUE if a label is too long, a tag is empty, or there are too many tags.
    pub fn new<'a>(version: &[u8], tags: impl Iterator<Item = &'a [u8]>) -> Result<Option<Labels>, Status> {
        let mut packed = Vec::new();
        let mut count = 0;
        push(&mut packed, version)?;
        for tag in tags {
            count += 1;
            if tag.is_empty() || count > TAGS_MAX {
                return Err(Status::ERR_BAD_VALUE);
            }
            if !tags_in(&packed).any(|earlier| earlier == tag) {
                push(&mut packed, tag)?;
            }
        }
        Ok((packed.len() > 1).then(|| Labels(Box::new(packed.into()))))
    }

    /// Unpacks bytes that [`Labels::packed`] returned; `None` for any other bytes.
    pub fn of_packed(packed: &[u8]) -> Option<Labels> {
        let mut rest = packed;
        let mut parts = Vec::new();
        while let Some((len, after)) = rest.split_first() {
            let (part, after) = after.split_at_checked(usize::from(*len))?;
            parts.push(part);
            rest = after;
        }
        let (version, tags) = parts.split_first()?;
        let labels = Labels::new(version, tags.iter().copied()).ok()??;
        (labels.packed() == packed).then_some(labels)
    }

    /// The packed bytes, for a saved cache. [`Labels::of_packed`] reads them back.
    pub fn packed(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are tags.
    pub fn has_tags(&self) -> bool {
        self.tags().next().is_some()
    }

    /// The version that the provider gave the data (an ETag, for example); empty if there is none.
    pub fn version(&self) -> &[u8] {
        first(&self.0).map_or(&[], |(version, _)| version)
    }

    /// The tags, each once.
    pub fn tags(&self) -> impl Iterator<Item = &[u8]> + Clone {
        tags_in(&self.0)
    }

    /// The labels of a renewed value: a version or tags that are stated now replace the older ones; what is not stated is kept.
    pub fn renewed(stated: Option<Labels>, older: Option<&Labels>) -> Option<Labels> {
        let (Some(stated), Some(older)) = (&stated, older) else { return stated.or_else(|| older.cloned()) };
        let version = if stated.version().is_empty() { older.version() } else { stated.version() };
        let has_tags = stated.tags().next().is_some();
        let tags = if has_tags { stated } else { older }.tags();
        // Cannot fail: both come from valid labels.
        Labels::new(version, tags).ok().flatten()
    }
}

fn push(packed: &mut Vec<u8>, label: &[u8]) -> Result<(), Status> {
    packed.push(u8::try_from(label.len()).map_err(|_| Status::ERR_BAD_VALUE)?);
    packed.extend_from_slice(label);
    Ok(())
}

fn first(packed: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = packed.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

fn tags_in(packed: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut rest = first(packed).map_or(&[][..], |(_, rest)| rest);
    std::iter::from_fn(move || {
        let (tag, after) = first(rest)?;
        rest = after;
        Some(tag)
    })
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |label: &[u8]| String::from_utf8_lossy(label).into_owned();
        f.debug_struct("Labels").field("version", &text(self.version())).field("tags", &self.tags().map(text).collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(version: &str, tags: &[&str]) -> Result<Option<Labels>, Status> {
        Labels::new(version.as_bytes(), tags.iter().map(|tag| tag.as_bytes()))
    }

    fn tags(labels: &Labels) -> Vec<&[u8]> {
        labels.tags().collect()
    }

    #[test]
    fn r06_r11_labels_are_what_was_stated() {
        assert_eq!(labels("", &[]), Ok(None));
        let both = labels("v1", &["a", "bc", "a"]).expect("good").expect("some");
        assert_eq!((both.version(), tags(&both)), (&b"v1"[..], vec![&b"a"[..], b"bc"]));
        let alone = labels("", &["x"]).expect("good").expect("some");
        assert_eq!((alone.version(), tags(&alone)), (&b""[..], vec![&b"x"[..]]));
        let version = labels("v", &[]).expect("good").expect("some");
        assert!(tags(&version).is_empty());
    }

    #[test]
    fn r11_too_many_tags_and_too_long_labels_are_refused() {
        let (long, longest) = ("x".repeat(256), "x".repeat(255));
        assert!(labels(&longest, &[&longest]).is_ok());
        for refused in [labels(&long, &[]), labels("", &[&long]), labels("", &[""]), labels("", &["a"; 17])] {
            assert_eq!(refused, Err(Status::ERR_BAD_VALUE));
        }
        assert!(labels("", &["a"; 16]).is_ok());
    }

    #[test]
    fn s18_packed_labels_can_be_read_back_and_other_bytes_are_rejected() {
        for (version, tags) in [("", &["x"][..]), ("v", &[]), ("v", &["a", "b", "c"])] {
            let labels = labels(version, tags).expect("good").expect("some");
            assert_eq!(Labels::of_packed(labels.packed()), Some(labels));
        }
        for bad in [&b""[..], b"\0", b"\x05abc", b"\0\0", b"\x01v\x01a\x01a", b"\x01v\x02a"] {
            assert_eq!(Labels::of_packed(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn r06_labels_that_are_not_restated_are_kept() {
        let of = |version: &str, tags: &[&str]| labels(version, tags).expect("good");
        let older = of("v1", &["a", "b"]);
        for (stated, renewed) in [
            (of("", &[]), of("v1", &["a", "b"])),
            (of("v2", &[]), of("v2", &["a", "b"])),
            (of("", &["c"]), of("v1", &["c"])),
            (of("v2", &["c"]), of("v2", &["c"])),
        ] {
            assert_eq!(Labels::renewed(stated.clone(), older.as_ref()), renewed);
            assert_eq!(Labels::renewed(stated.clone(), None), stated);
        }
    }
}
