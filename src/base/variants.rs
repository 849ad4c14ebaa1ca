//! Enums that know all of their variants, so that nobody keeps a list of them.

/// Declares an enum with the constant `ALL`: every variant, in the order of the declaration. If the variants are the values of a setting,
/// each is declared with its word, and `WORDS` has the words in the same order.
macro_rules! variants {
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)* } words) => {
        variants! { $(#[$about])* pub enum $name { $($(#[$each])* $variant,)* } }

        impl $name {
            /// The words of the setting, in the order of `ALL`.
            pub const WORDS: &'static [&'static str] = &[$($word),*];
        }
    };
    ($(#[$about:meta])* pub enum $name:ident { $($(#[$each:meta])* $variant:ident $(= $number:literal)?,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name {
            $($(#[$each])* $variant $(= $number)?,)*
        }

        impl $name {
            /// Every variant, in the order of the declaration.
            pub const ALL: [$name; [$($name::$variant),*].len()] = [$($name::$variant),*];
        }
    };
}
pub(crate) use variants;
