//! Ceilings on the sizes of what is copied for every request: growing one of them is a decision.

use std::mem::size_of;

use turquoise_core::{
    Attribute, Decision, Evaluation, FlagId, RouteId, Scratch, Timestamp, Value, Variant, VariantId,
};

#[test]
fn hot_types_stay_small() {
    for (name, size, most) in [
        ("Evaluation", size_of::<Evaluation>(), 20),
        ("Decision", size_of::<Decision>(), 56),
        ("Value", size_of::<Value<'_>>(), 24),
        ("Attribute", size_of::<Attribute>(), 40),
        ("Variant", size_of::<Variant<'_>>(), 48),
        ("FlagId", size_of::<FlagId>(), 4),
        ("VariantId", size_of::<VariantId>(), 4),
        ("RouteId", size_of::<RouteId>(), 4),
        ("Timestamp", size_of::<Timestamp>(), 8),
        ("Scratch", size_of::<Scratch>(), 96),
    ] {
        assert!(size <= most, "{name} has {size} bytes, {most} are allowed");
    }
}

#[test]
fn results_are_copied_not_cloned() {
    fn is_copy<T: Copy + Send + Sync>() {}
    is_copy::<Evaluation>();
    is_copy::<Decision>();
    is_copy::<Value<'_>>();
}
