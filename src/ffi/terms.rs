//! Reads `kvl_terms_t`: the terms of an answer or of a put, and the condition of a put.

use super::constants::{
    KVL_COST_DEFAULT, KVL_PRIORITY_DEFAULT, KVL_PUT_F_IF_ABSENT, KVL_PUT_F_IF_PRESENT, KVL_PUT_F_KEEP_TTL, KVL_STALE_NEVER,
};
use super::guard::Caller;
use super::types::kvl_terms_t;
use crate::base::labels::TAGS_MAX;
use crate::base::{Labels, Status, StoreTerms, Ttl};
use crate::cache::{Condition, NewEntry};
use std::mem::{MaybeUninit, offset_of};

/// The size of the first version of the struct, in bytes.
const FIRST_SIZE: usize = offset_of!(kvl_terms_t, stale_ttl_ms);

impl Caller {
    /// The terms of a provider's answer. NULL states none (rule S06).
    #[inline]
    pub(crate) fn terms(&self, terms: *const kvl_terms_t) -> Result<StoreTerms, Status> {
        if terms.is_null() { Ok(StoreTerms::default()) } else { self.stated_terms(terms, 0).map(|(terms, _)| terms) }
    }

    /// Sets the terms and the condition of `entry`, which has none yet, to those of a put. NULL states none. `allowed` are the KVL_PUT_F_*
    /// that are accepted.
    #[inline(always)]
    pub(crate) fn state_terms(&self, terms: *const kvl_terms_t, allowed: u32, entry: &mut NewEntry) -> Result<(), Status> {
        if !terms.is_null() {
            (entry.terms, entry.condition) = self.put_terms(terms, allowed)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn put_terms(&self, terms: *const kvl_terms_t, allowed: u32) -> Result<(StoreTerms, Condition), Status> {
        let (terms, flags) = self.stated_terms(terms, allowed)?;
        let condition = match flags & !KVL_PUT_F_KEEP_TTL {
            0 => Condition::None,
            KVL_PUT_F_IF_ABSENT => Condition::Absent,
            KVL_PUT_F_IF_PRESENT => Condition::Present,
            _ => return Err(Status::ERR_BAD_VALUE),
        };
        Ok((terms, condition))
    }

    fn stated_terms(&self, terms: *const kvl_terms_t, allowed: u32) -> Result<(StoreTerms, u32), Status> {
        let size = self.items(terms.cast::<usize>(), 1)?[0];
        if size < FIRST_SIZE {
            return Err(Status::ERR_BAD_VALUE);
        }
        let stated = self.items(terms.cast::<u8>(), size)?;
        // Fields of a later version have the default 0; any other value demands something that this version cannot do.
        let (known, later) = stated.split_at(size.min(size_of::<kvl_terms_t>()));
        let mut whole = MaybeUninit::<kvl_terms_t>::zeroed();
        // SAFETY: no more bytes are copied than the struct holds. It consists of numbers and pointers, so zeros are valid for fields that
        // an earlier version lacks.
        let terms = unsafe {
            std::ptr::copy_nonoverlapping(known.as_ptr(), whole.as_mut_ptr().cast::<u8>(), known.len());
            whole.assume_init()
        };
        if terms.priority.is_nan() || terms.flags & !allowed != 0 || terms.reserved != 0 || later.iter().any(|byte| *byte != 0) {
            return Err(Status::ERR_BAD_VALUE);
        }
        let cost = match terms.cost {
            KVL_COST_DEFAULT => None,
            cost => Some(u64::try_from(cost).map_err(|_| Status::ERR_BAD_VALUE)?),
        };
        let stale_ms = match terms.stale_ttl_ms {
            0 => None,
            KVL_STALE_NEVER => Some(0),
            stale => Some(u64::try_from(stale).map_err(|_| Status::ERR_BAD_VALUE)?),
        };
        let labels = if terms.version_len == 0 && terms.tags_len == 0 { None } else { self.labels(&terms)? };
        let stated = StoreTerms {
            ttl: Ttl::from_raw(terms.ttl_ms).map_err(|_| Status::ERR_BAD_VALUE)?,
            keep_ttl: terms.flags & KVL_PUT_F_KEEP_TTL != 0,
            stale_ms,
            priority: (terms.priority != KVL_PRIORITY_DEFAULT).then_some(terms.priority),
            cost,
            labels,
            renews: false,
        };
        Ok((stated, terms.flags))
    }

    #[inline(never)]
    fn labels(&self, terms: &kvl_terms_t) -> Result<Option<Labels>, Status> {
        if terms.tags_len > TAGS_MAX {
            return Err(Status::ERR_BAD_VALUE);
        }
        Labels::new(self.items(terms.version, terms.version_len)?, self.keys(terms.tags, terms.tags_len)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::kvl_slice_t;
    use super::*;

    const UNSTATED: kvl_terms_t = kvl_terms_t {
        struct_size: size_of::<kvl_terms_t>(),
        ttl_ms: -2,
        priority: KVL_PRIORITY_DEFAULT,
        cost: KVL_COST_DEFAULT,
        flags: 0,
        reserved: 0,
        stale_ttl_ms: 0,
        version: std::ptr::null(),
        version_len: 0,
        tags: std::ptr::null(),
        tags_len: 0,
    };

    #[repr(C)]
    struct Later(kvl_terms_t, u64);

    fn read(terms: &kvl_terms_t) -> Result<StoreTerms, Status> {
        // SAFETY: the reference is readable, and no test states a size greater than the actual one.
        unsafe { Caller::trusted() }.terms(terms)
    }

    #[test]
    fn s06_terms_that_are_not_stated_have_their_defaults() {
        // SAFETY: NULL is not read.
        assert_eq!(unsafe { Caller::trusted() }.terms(std::ptr::null()), Ok(StoreTerms::default()));
        assert_eq!(read(&UNSTATED), Ok(StoreTerms::default()));
        let stated = kvl_terms_t { ttl_ms: 0, priority: -1.5, cost: 0, ..UNSTATED };
        let terms = StoreTerms { ttl: Some(Ttl::DoNotStore), priority: Some(-1.5), cost: Some(0), ..StoreTerms::default() };
        assert_eq!(read(&stated), Ok(terms));
    }

    #[test]
    fn s17_contradicting_conditions_of_a_put_are_refused() {
        let all = KVL_PUT_F_KEEP_TTL | KVL_PUT_F_IF_ABSENT | KVL_PUT_F_IF_PRESENT;
        let read = |flags, allowed| {
            // SAFETY: as above.
            let read = unsafe { Caller::trusted() }.put_terms(&kvl_terms_t { flags, ..UNSTATED }, allowed);
            read.map(|(terms, condition)| format!("{} {condition:?}", terms.keep_ttl))
        };
        assert_eq!(read(0, 0).as_deref(), Ok("false None"));
        assert_eq!(read(KVL_PUT_F_KEEP_TTL, all).as_deref(), Ok("true None"));
        assert_eq!(read(KVL_PUT_F_IF_ABSENT, all).as_deref(), Ok("false Absent"));
        assert_eq!(read(KVL_PUT_F_IF_PRESENT | KVL_PUT_F_KEEP_TTL, all).as_deref(), Ok("true Present"));
        assert_eq!(read(KVL_PUT_F_IF_PRESENT | KVL_PUT_F_IF_ABSENT, all), Err(Status::ERR_BAD_VALUE));
        assert_eq!(read(KVL_PUT_F_IF_ABSENT, KVL_PUT_F_KEEP_TTL), Err(Status::ERR_BAD_VALUE));
        assert_eq!(read(1 << 31, all), Err(Status::ERR_BAD_VALUE));
    }

    #[test]
    fn l09_invalid_terms_are_refused() {
        for refused in [
            kvl_terms_t { ttl_ms: -3, ..UNSTATED },
            kvl_terms_t { priority: f64::NAN, ..UNSTATED },
            kvl_terms_t { cost: -2, ..UNSTATED },
            kvl_terms_t { flags: KVL_PUT_F_KEEP_TTL, ..UNSTATED },
            kvl_terms_t { flags: 1 << 31, ..UNSTATED },
            kvl_terms_t { reserved: 1, ..UNSTATED },
            kvl_terms_t { struct_size: 0, ..UNSTATED },
            kvl_terms_t { struct_size: FIRST_SIZE - 1, ..UNSTATED },
            kvl_terms_t { stale_ttl_ms: -2, ..UNSTATED },
        ] {
            assert_eq!(read(&refused), Err(Status::ERR_BAD_VALUE), "{refused:?}");
        }
    }

    #[test]
    fn r01_terms_state_how_long_an_entry_stays_as_a_fallback() {
        for (stale_ttl_ms, stale_ms) in [(0, None), (KVL_STALE_NEVER, Some(0)), (5_000, Some(5_000))] {
            assert_eq!(read(&kvl_terms_t { stale_ttl_ms, ..UNSTATED }), Ok(StoreTerms { stale_ms, ..StoreTerms::default() }));
        }
        // A program that was compiled for an earlier version does not have the field.
        let earlier = kvl_terms_t { struct_size: FIRST_SIZE, cost: 7, stale_ttl_ms: 9, ..UNSTATED };
        assert_eq!(read(&earlier), Ok(StoreTerms { cost: Some(7), ..StoreTerms::default() }));
    }

    #[test]
    fn r06_r11_terms_state_the_version_of_the_record_and_the_tags() {
        let text = [b'v'; 256];
        let slice = |len| kvl_slice_t { data: text.as_ptr(), len };
        let of = |version_len, tags: &[kvl_slice_t]| {
            let (version, tags, tags_len) = (text.as_ptr(), tags.as_ptr(), tags.len());
            read(&kvl_terms_t { version, version_len, tags, tags_len, ..UNSTATED }).map(|terms| terms.labels)
        };
        assert_eq!(of(0, &[]), Ok(None));
        let stated = of(2, &[slice(1), slice(255), slice(1)]).expect("good").expect("some");
        assert_eq!((stated.version(), stated.tags().map(<[u8]>::len).collect::<Vec<_>>()), (&b"vv"[..], vec![1, 255]));
        assert!(of(255, &[slice(1); 16]).is_ok());
        for refused in [of(256, &[]), of(0, &[slice(256)]), of(0, &[slice(0)]), of(0, &[slice(1); 17])] {
            assert_eq!(refused, Err(Status::ERR_BAD_VALUE));
        }
        assert_eq!(read(&kvl_terms_t { version_len: 1, ..UNSTATED }), Err(Status::ERR_NULL_POINTER));
        assert_eq!(read(&kvl_terms_t { tags_len: 1, ..UNSTATED }), Err(Status::ERR_NULL_POINTER));
        assert_eq!(of(0, &[kvl_slice_t { data: std::ptr::null(), len: 1 }]), Err(Status::ERR_NULL_POINTER));
    }

    #[test]
    fn l09_terms_of_a_later_version_are_accepted_if_their_new_fields_are_0() {
        let terms = kvl_terms_t { struct_size: size_of::<Later>(), cost: 7, ..UNSTATED };
        for (new, expected) in [(0, Ok(Some(7))), (1, Err(Status::ERR_BAD_VALUE)), (1 << 63, Err(Status::ERR_BAD_VALUE))] {
            let later = Later(terms, new);
            // SAFETY: as many bytes are readable as the size says.
            let read = unsafe { Caller::trusted() }.terms((&raw const later).cast());
            assert_eq!(read.map(|terms| terms.cost), expected);
        }
    }
}
