//! Goes through a message value by value: checks it to the byte, weighs it, and writes its values
//! as JSON or into columns.
use std::collections::HashSet;
use std::io::Write;

use crate::columns::Column;
use crate::schema::{Kind, Schema, Whole};

/// The most that a message may weigh; see `fink_cli/avro/limits.py`, which may weigh less.
const MOST: usize = 1_000_000;
const ALERT: usize = 20;
const KEY: usize = 2;

/// Where JSON goes, or nothing.
pub trait Output {
    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>));
}

impl Output for () {
    fn put(&mut self, _write: impl FnOnce(&mut Vec<u8>)) {}
}

impl Output for Vec<u8> {
    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self);
    }
}

/// The weight of a message; none where it is no alert, an unusual one, or too heavy.
pub fn pass<O: Output>(
    schema: &Schema,
    message: &[u8],
    out: &mut O,
    column: Option<&mut Column>,
) -> Option<usize> {
    let mut walk = Walk { schema, rest: message, weight: ALERT, out };
    walk.take_weight(schema.types[schema.root].own)?;
    walk.value(schema.root, column)?;
    walk.rest.is_empty().then_some(walk.weight)
}

struct Walk<'a, O> {
    schema: &'a Schema,
    rest: &'a [u8],
    weight: usize,
    out: &'a mut O,
}

impl<'a, O: Output> Walk<'a, O> {
    /// Pass over a value; its own weight has been taken.
    fn value(&mut self, at: usize, mut column: Option<&mut Column>) -> Option<()> {
        let schema = self.schema;
        match &schema.types[at].kind {
            Kind::Null => self.null(column),
            Kind::Boolean => {
                let value = self.take(1)?[0];
                match value {
                    0 => self.text(b"false"),
                    1 => self.text(b"true"),
                    _ => return None,
                }
                fill(column, |column| column.push_boolean(value == 1));
            }
            Kind::Whole(whole, least, most) => {
                let number = self.long()?;
                if number < *least || number > *most {
                    return None;
                }
                self.out.put(|json| write_whole(json, *whole, number));
                fill(column, |column| column.push_whole(number, *whole));
            }
            Kind::Float => {
                let number = f32::from_le_bytes(self.take(4)?.try_into().ok()?);
                self.out.put(|json| write_double(json, number.into()));
                fill(column, |column| column.push_float(number));
            }
            Kind::Double => {
                let number = f64::from_le_bytes(self.take(8)?.try_into().ok()?);
                self.out.put(|json| write_double(json, number));
                fill(column, |column| column.push_double(number));
            }
            Kind::Bytes | Kind::Fixed(_) => {
                let bytes = match schema.types[at].kind {
                    Kind::Fixed(size) => self.take(size)?,
                    _ => self.sized()?,
                };
                self.out.put(|json| write_bytes(json, bytes));
                fill(column, |column| column.push_bytes(bytes));
            }
            Kind::Text => {
                let text = std::str::from_utf8(self.sized()?).ok()?;
                self.out.put(|json| write_text(json, text));
                fill(column, |column| column.push_bytes(text.as_bytes()));
            }
            Kind::Enum(symbols) => {
                let symbol = symbols.get(usize::try_from(self.long()?).ok()?)?;
                self.out.put(|json| write_text(json, symbol));
                fill(column, |column| column.push_bytes(symbol.as_bytes()));
            }
            Kind::Optional(branch, inner) => match self.long()? {
                number if number == *branch as i64 => {
                    self.take_weight(schema.types[*inner].own - 1)?;
                    self.value(*inner, column)?;
                }
                // Arrow has room for a null record as for any other.
                0 | 1 => {
                    self.take_weight(schema.types[at].columns)?;
                    self.null(column);
                }
                _ => return None,
            },
            Kind::Array(item) => self.items(*item, false, column)?,
            Kind::Map(item) => self.items(*item, true, column)?,
            Kind::Record(fields) => {
                for (number, field) in fields.iter().enumerate() {
                    self.text(if number == 0 { b"{" } else { b"," });
                    self.text(&field.json);
                    let inner = column.as_deref_mut().and_then(|column| column.field(number));
                    self.value(field.kind, inner)?;
                }
                self.text(b"}");
                fill(column, Column::push_record);
            }
        }
        Some(())
    }

    fn null(&mut self, column: Option<&mut Column>) {
        self.text(b"null");
        fill(column, Column::push_null);
    }

    fn items(&mut self, item: usize, keyed: bool, mut column: Option<&mut Column>) -> Option<()> {
        let mut keys = HashSet::new();
        let own = self.schema.types[item].own + if keyed { KEY } else { 0 };
        let mut total = 0;
        self.text(if keyed { b"{" } else { b"[" });
        loop {
            let mut count = self.long()?;
            if count == 0 {
                break;
            }
            let mut end = None;
            if count < 0 {
                count = count.checked_neg()?;
                let size = usize::try_from(self.long()?).ok()?;
                end = Some(self.rest.len().checked_sub(size)?);
            }
            self.take_weight(usize::try_from(count).ok()?.checked_mul(own)?)?;
            for _ in 0..count {
                if total > 0 {
                    self.text(b",");
                }
                total += 1;
                if keyed {
                    let key = std::str::from_utf8(self.sized()?).ok()?;
                    if !keys.insert(key) {
                        return None;
                    }
                    self.out.put(|json| write_text(json, key));
                    self.text(b":");
                    fill(column.as_deref_mut(), |column| column.push_key(key));
                }
                self.value(item, column.as_deref_mut().and_then(Column::items))?;
            }
            // Whoever leaves the items out goes by their size.
            if end.is_some_and(|end| end != self.rest.len()) {
                return None;
            }
        }
        self.text(if keyed { b"}" } else { b"]" });
        fill(column, |column| column.push_items(total));
        Some(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.put(|json| json.extend_from_slice(text));
    }

    fn take_weight(&mut self, weight: usize) -> Option<()> {
        self.weight = self.weight.saturating_add(weight);
        (self.weight <= MOST).then_some(())
    }

    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        Some(taken)
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let size = usize::try_from(self.long()?).ok()?;
        self.take(size)
    }

    fn long(&mut self) -> Option<i64> {
        let mut number = 0u64;
        let rest = self.rest;
        for (at, byte) in rest.iter().enumerate() {
            // The tenth byte has one bit.
            if at == 9 && *byte > 1 {
                return None;
            }
            number |= u64::from(byte & 127) << (7 * at);
            if *byte < 128 {
                self.rest = &rest[at + 1..];
                return Some((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        None
    }
}

fn fill(column: Option<&mut Column>, write: impl FnOnce(&mut Column)) {
    if let Some(column) = column {
        write(column);
    }
}

fn write_text(json: &mut Vec<u8>, text: &str) {
    // Nothing can fail: memory is the writer.
    let _ = serde_json::to_writer(json, text);
}

fn write_bytes(json: &mut Vec<u8>, bytes: &[u8]) {
    json.push(b'"');
    base64_simd::STANDARD.encode_append(bytes, json);
    json.push(b'"');
}

fn write_double(json: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        json.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    } else {
        json.extend_from_slice(b"null");
    }
}

/// A number, or a date or time in ISO 8601.
fn write_whole(json: &mut Vec<u8>, whole: Whole, number: i64) {
    let Whole::Time(ticks, utc) = whole else {
        if matches!(whole, Whole::Date) {
            let (year, month, day) = date(number);
            let _ = write!(json, "\"{year:04}-{month:02}-{day:02}\"");
        } else {
            json.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        return;
    };
    let (seconds, part) = (number.div_euclid(ticks), number.rem_euclid(ticks));
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let clock = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let _ = write!(json, "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if part != 0 {
        let _ = write!(json, ".{:06}", part * (1_000_000 / ticks));
    }
    json.extend_from_slice(if utc { b"Z\"" } else { b"\"" });
}

/// Year, month and day of a number of days since 1970, in years that begin in March, so that a leap
/// day is the last of its year (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let next_year = i64::from(month > 9);
    let month_of_year = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + next_year, month_of_year, day - (153 * month + 2) / 5 + 1)
}
