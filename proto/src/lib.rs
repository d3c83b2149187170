//! Generated code only.
