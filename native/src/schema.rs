//! The types of an Avro schema, and how heavy their values are.
use serde_json::{Map as Object, Value};

/// Dates and times that Python and ISO 8601 have: those of the years 1 to 9999.
const DAYS: (i64, i64) = (-719_162, 2_932_896);

/// Deeper types might take more stack than there is.
const DEEPEST: usize = 128;
const MOST_COLUMNS: usize = 12_000;
/// Of what takes more memory than its bytes in a message: null for a `fixed`, symbols.
const BYTES_A_WEIGHT: usize = 40;

/// What a whole number stands for.
#[derive(Clone, Copy)]
pub enum Whole {
    Int,
    Long,
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
    Record(Vec<Field>),
}

pub struct Field {
    pub name: String,
    /// The name as JSON has it before a value: `"name":`.
    pub json: Vec<u8>,
    pub kind: usize,
    /// Whether it becomes a column.
    pub wanted: bool,
}

pub struct Type {
    pub kind: Kind,
    /// The weight of a value, without the items in it.
    pub own: usize,
    /// How many columns it becomes, which have room for a value though it be null.
    pub columns: usize,
    depth: usize,
}

/// A schema, in which each use of a type is written out.
#[derive(Default)]
pub struct Schema {
    pub types: Vec<Type>,
    pub root: usize,
}

impl Schema {
    /// None where a type is not known here, or a field is of several types.
    pub fn new(text: &str) -> Option<Self> {
        let mut schema = Self::default();
        schema.root = schema.add(&serde_json::from_str(text).ok()?)?;
        matches!(schema.types[schema.root].kind, Kind::Record(_)).then_some(schema)
    }

    fn add(&mut self, node: &Value) -> Option<usize> {
        match node {
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
            ("int", _) => Kind::Whole(Whole::Int, i32::MIN.into(), i32::MAX.into()),
            ("long", _) => Kind::Whole(Whole::Long, i64::MIN, i64::MAX),
            ("float", _) => Kind::Float,
            ("double", _) => Kind::Double,
            ("bytes", _) => Kind::Bytes,
            ("string", _) => Kind::Text,
            ("fixed", _) => {
                let size = object.get("size")?.as_u64().filter(|size| *size > 0)?;
                Kind::Fixed(usize::try_from(size).ok()?)
            }
            ("enum", _) => Kind::Enum(serde_json::from_value(object.get("symbols")?.clone()).ok()?),
            ("array", _) => Kind::Array(self.add(object.get("items")?)?),
            ("map", _) => Kind::Map(self.add(object.get("values")?)?),
            ("record", _) => self.record(object)?,
            _ => return None,
        };
        match &kind {
            Kind::Bytes | Kind::Text => own = 2,
            Kind::Fixed(size) => {
                own = 2;
                columns += size / BYTES_A_WEIGHT;
            }
            Kind::Enum(symbols) => {
                own += symbols.iter().map(String::len).max().unwrap_or(0) / BYTES_A_WEIGHT;
            }
            Kind::Array(item) | Kind::Map(item) => {
                own = 2;
                columns += self.types[*item].columns;
                depth += self.types[*item].depth;
            }
            Kind::Record(fields) => {
                own = 6;
                for field in fields.iter().map(|field| &self.types[field.kind]) {
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
        Some(self.types.len() - 1)
    }

    fn record(&mut self, object: &Object<String, Value>) -> Option<Kind> {
        let fields = object.get("fields")?.as_array()?;
        let fields = fields.iter().map(|field| {
            let name = field.get("name")?.as_str()?;
            Some(Field {
                name: name.to_owned(),
                json: format!("{}:", serde_json::to_string(name).ok()?).into_bytes(),
                kind: self.add(field.get("type")?)?,
                wanted: field.get("wanted").is_none_or(|wanted| wanted == true),
            })
        });
        let fields = fields.collect::<Option<Vec<_>>>()?;
        (!fields.is_empty()).then_some(Kind::Record(fields))
    }
}
