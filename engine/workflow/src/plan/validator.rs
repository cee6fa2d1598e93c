//! JSON Schemas of plugins: draft 2020-12, nothing fetched, and bounded, because whoever wrote one may mean harm.

use crate::read::shown;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// Compiled size of one pattern.
const LARGEST_PATTERN: usize = 1 << 20;

/// A validator that takes time linear in the value.
pub(crate) fn validator(schema: &Value) -> Result<Validator, String> {
    orch_core::check_schema_cost(schema)?;
    let patterns = PatternOptions::regex().size_limit(LARGEST_PATTERN).dfa_size_limit(LARGEST_PATTERN);
    let options = jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(patterns);
    options.build(schema).map_err(|error| shown(&error.to_string()))
}
