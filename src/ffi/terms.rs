//! The terms of an answer on their way in.

use super::guard::Caller;
use super::sets::{KVL_COST_DEFAULT, KVL_PRIORITY_DEFAULT};
use super::types::kvl_terms_t;
use crate::base::{Status, StoreTerms, Ttl};

impl Caller {
    /// The terms at `terms`; NULL is none stated (rule S06).
    #[inline]
    pub(crate) fn terms(&self, terms: *const kvl_terms_t) -> Result<StoreTerms, Status> {
        if terms.is_null() { Ok(StoreTerms::default()) } else { self.stated_terms(terms) }
    }

    fn stated_terms(&self, terms: *const kvl_terms_t) -> Result<StoreTerms, Status> {
        let size = self.items(terms.cast::<usize>(), 1)?[0];
        if size < size_of::<kvl_terms_t>() {
            return Err(Status::ERR_BAD_VALUE);
        }
        // A later version's fields have 0 for their default: with anything else they ask for what this version cannot do.
        let later = &self.items(terms.cast::<u8>(), size)?[size_of::<kvl_terms_t>()..];
        let terms = &self.items(terms, 1)?[0];
        if terms.priority.is_nan() || terms.flags != 0 || terms.reserved != 0 || later.iter().any(|byte| *byte != 0) {
            return Err(Status::ERR_BAD_VALUE);
        }
        let cost = match terms.cost {
            KVL_COST_DEFAULT => None,
            cost => Some(u64::try_from(cost).map_err(|_| Status::ERR_BAD_VALUE)?),
        };
        Ok(StoreTerms {
            ttl: Ttl::from_raw(terms.ttl_ms).map_err(|_| Status::ERR_BAD_VALUE)?,
            priority: (terms.priority != KVL_PRIORITY_DEFAULT).then_some(terms.priority),
            cost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNSTATED: kvl_terms_t = kvl_terms_t {
        struct_size: size_of::<kvl_terms_t>(),
        ttl_ms: -2,
        priority: KVL_PRIORITY_DEFAULT,
        cost: KVL_COST_DEFAULT,
        flags: 0,
        reserved: 0,
    };

    #[repr(C)]
    struct Later(kvl_terms_t, u64);

    fn read(terms: &kvl_terms_t) -> Result<StoreTerms, Status> {
        // SAFETY: the reference is readable, and no test states a greater size than there is.
        unsafe { Caller::trusted() }.terms(terms)
    }

    #[test]
    fn s06_what_is_not_stated_is_the_default() {
        // SAFETY: NULL is not read.
        assert_eq!(unsafe { Caller::trusted() }.terms(std::ptr::null()), Ok(StoreTerms::default()));
        assert_eq!(read(&UNSTATED), Ok(StoreTerms::default()));
        let stated = kvl_terms_t { ttl_ms: 0, priority: -1.5, cost: 0, ..UNSTATED };
        assert_eq!(read(&stated), Ok(StoreTerms { ttl: Some(Ttl::DoNotStore), priority: Some(-1.5), cost: Some(0) }));
    }

    #[test]
    fn l09_terms_that_mean_nothing_are_refused() {
        for refused in [
            kvl_terms_t { ttl_ms: -3, ..UNSTATED },
            kvl_terms_t { priority: f64::NAN, ..UNSTATED },
            kvl_terms_t { cost: -2, ..UNSTATED },
            kvl_terms_t { flags: 1 << 31, ..UNSTATED },
            kvl_terms_t { reserved: 1, ..UNSTATED },
            kvl_terms_t { struct_size: 0, ..UNSTATED },
            kvl_terms_t { struct_size: UNSTATED.struct_size - 1, ..UNSTATED },
        ] {
            assert_eq!(read(&refused), Err(Status::ERR_BAD_VALUE), "{refused:?}");
        }
    }

    #[test]
    fn l09_the_terms_of_a_later_version_are_taken_if_they_ask_for_nothing_new() {
        let terms = kvl_terms_t { struct_size: size_of::<Later>(), cost: 7, ..UNSTATED };
        for (new, expected) in [(0, Ok(Some(7))), (1, Err(Status::ERR_BAD_VALUE)), (1 << 63, Err(Status::ERR_BAD_VALUE))] {
            let later = Later(terms, new);
            // SAFETY: as much is readable as the size says.
            let read = unsafe { Caller::trusted() }.terms((&raw const later).cast());
            assert_eq!(read.map(|terms| terms.cost), expected);
        }
    }
}
