//! The types of an Avro schema, and how heavy their values are.
use std::collections::HashMap;

use serde_json::{Map as Object, Value};

/// Dates and times that Python and ISO 8601 have: those of the years 1 to 9999.
const DAYS: (i64, i64) = (-719_162, 2_932_896);

/// Deeper types might take more stack than there is.
const DEEPEST: usize = 128;
/// A short schema may name types that hold others twice, and so on: arrow-avro writes them all out.
const MOST_COLUMNS: usize = 12_000;

/// What a whole number stands for.
#[derive(Clone, Copy, PartialEq)]
pub enum Whole {
    Number,
    Date,
    /// Ticks a second, and whether it is in UTC.
    Time(i64, bool),
}

pub enum Kind {
    Null,
    Boolean,
    Whole(Whole, i64, i64),
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Vec<String>),
    /// A type that may be null: the number of its branch, and the type.
    Optional(usize, usize),
    Array(usize),
    Map(usize),
    /// Each field as `"name":`, and its type.
    Record(Vec<(Vec<u8>, usize)>),
}

pub struct Type {
    pub kind: Kind,
    /// The weight of a value, without the items in it.
    pub own: usize,
    /// How many columns it becomes, which have room for a value though it be null.
    pub columns: usize,
    depth: usize,
}

/// A schema. A type that has a name stands once.
#[derive(Default)]
pub struct Schema {
    pub types: Vec<Type>,
    pub root: usize,
    names: HashMap<String, usize>,
}

impl Schema {
    /// None where a type refers to itself, is of several types, or is not known here.
    pub fn new(text: &str) -> Option<Self> {
        let mut schema = Self::default();
        schema.root = schema.add(&serde_json::from_str(text).ok()?)?;
        matches!(schema.types[schema.root].kind, Kind::Record(_)).then_some(schema)
    }

    fn add(&mut self, node: &Value) -> Option<usize> {
        match node {
            Value::String(name) if self.names.contains_key(name) => Some(self.names[name]),
            Value::String(name) => self.put(&Object::new(), name),
            Value::Array(branches) => self.optional(branches),
            Value::Object(object) => self.put(object, object.get("type")?.as_str()?),
            _ => None,
        }
    }

    fn optional(&mut self, branches: &[Value]) -> Option<usize> {
        let null = branches.iter().position(|branch| branch == "null")?;
        if branches.len() != 2 {
            return None;
        }
        let inner = self.add(&branches[1 - null])?;
        if matches!(self.types[inner].kind, Kind::Null | Kind::Optional(..)) {
            return None;
        }
        let Type { columns, depth, .. } = self.types[inner];
        self.types.push(Type { kind: Kind::Optional(1 - null, inner), own: 1, columns, depth });
        Some(self.types.len() - 1)
    }

    fn put(&mut self, object: &Object<String, Value>, kind: &str) -> Option<usize> {
        let logical = object.get("logicalType").and_then(Value::as_str);
        let time = |ticks: i64, utc| {
            let second = DAYS.0 * 86_400..(DAYS.1 + 1) * 86_400;
            Kind::Whole(Whole::Time(ticks, utc), second.start * ticks, second.end * ticks - 1)
        };
        let (mut own, mut columns, mut depth) = (if logical.is_some() { 3 } else { 1 }, 1, 1);
        let kind = match (kind, logical) {
            ("int", Some("date")) => Kind::Whole(Whole::Date, DAYS.0, DAYS.1),
            ("long", Some("timestamp-millis")) => time(1_000, true),
            ("long", Some("timestamp-micros")) => time(1_000_000, true),
            ("long", Some("local-timestamp-millis")) => time(1_000, false),
            ("long", Some("local-timestamp-micros")) => time(1_000_000, false),
            (_, Some(_)) => return None,
            ("null", _) => Kind::Null,
            ("boolean", _) => Kind::Boolean,
            ("int", _) => Kind::Whole(Whole::Number, i32::MIN.into(), i32::MAX.into()),
            ("long", _) => Kind::Whole(Whole::Number, i64::MIN, i64::MAX),
            ("float", _) => Kind::Float,
            ("double", _) => Kind::Double,
            ("bytes", _) => Kind::Bytes,
            ("string", _) => Kind::Text,
            ("fixed", _) => Kind::Fixed(usize::try_from(object.get("size")?.as_u64()?).ok()?),
            ("enum", _) => Kind::Enum(serde_json::from_value(object.get("symbols")?.clone()).ok()?),
            ("array", _) => Kind::Array(self.add(object.get("items")?)?),
            ("map", _) => Kind::Map(self.add(object.get("values")?)?),
            ("record", _) => self.record(object)?,
            _ => return None,
        };
        match &kind {
            Kind::Bytes | Kind::Text | Kind::Fixed(_) => own = 2,
            Kind::Array(item) | Kind::Map(item) => {
                own = 2;
                columns += self.types[*item].columns;
                depth += self.types[*item].depth;
            }
            Kind::Record(fields) => {
                own = 6;
                for field in fields.iter().map(|(_, field)| &self.types[*field]) {
                    own += field.own;
                    columns += field.columns;
                    depth = depth.max(1 + field.depth);
                }
            }
            _ => (),
        }
        // So few that sums of them stay within their type.
        if depth > DEEPEST || columns > MOST_COLUMNS {
            return None;
        }
        self.types.push(Type { kind, own, columns, depth });
        if let Some(name) = object.get("name").and_then(Value::as_str) {
            self.names.insert(name.to_owned(), self.types.len() - 1);
        }
        Some(self.types.len() - 1)
    }

    fn record(&mut self, object: &Object<String, Value>) -> Option<Kind> {
        let fields = object.get("fields")?.as_array()?;
        let fields = fields.iter().map(|field| {
            let name = serde_json::to_string(field.get("name")?.as_str()?).ok()?;
            Some((format!("{name}:").into_bytes(), self.add(field.get("type")?)?))
        });
        let fields = fields.collect::<Option<Vec<_>>>()?;
        (!fields.is_empty()).then_some(Kind::Record(fields))
    }
}
