//! Values of messages, field by field: as Arrow arrays, or row by row as Python objects.
use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, ListArray, MapArray,
    NullArray, PrimitiveArray, StringArray, StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{Field, Fields};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyList, PyString};

use crate::schema::{Kind, Schema, Whole};

/// The values of a field in all messages so far.
pub struct Column {
    /// Which of them are not null; none where no value can be.
    valid: Option<Vec<bool>>,
    data: Data,
}

enum Data {
    Null(usize),
    Boolean(Vec<bool>),
    Int(Vec<i32>),
    Long(Vec<i64>),
    Date(Vec<i32>),
    /// Microseconds since 1970, and whether they are in UTC.
    Time(Vec<i64>, bool),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Ends, Vec<u8>),
    Text(Ends, Vec<u8>),
    Fixed(usize, Vec<u8>),
    List(Ends, Box<Column>),
    /// Keys, with where they end, and values.
    Map(Ends, (Ends, Vec<u8>), Box<Column>),
    /// How many there are, and the fields that are wanted.
    Record(usize, Vec<Option<Column>>, Arc<[String]>),
}

/// Where each value ends, after a zero.
type Ends = Vec<i32>;

impl Column {
    /// An empty column for a type, of the fields that are wanted.
    pub fn new(schema: &Schema, at: usize) -> Self {
        let (at, valid) = match schema.types[at].kind {
            Kind::Optional(_, inner) => (inner, Some(vec![])),
            _ => (at, None),
        };
        let inner = |item: usize| Box::new(Self::new(schema, item));
        let data = match &schema.types[at].kind {
            Kind::Null | Kind::Optional(..) => Data::Null(0),
            Kind::Boolean => Data::Boolean(vec![]),
            Kind::Whole(Whole::Int, ..) => Data::Int(vec![]),
            Kind::Whole(Whole::Long, ..) => Data::Long(vec![]),
            Kind::Whole(Whole::Date, ..) => Data::Date(vec![]),
            Kind::Whole(Whole::Time(_, utc), ..) => Data::Time(vec![], *utc),
            Kind::Float => Data::Float(vec![]),
            Kind::Double => Data::Double(vec![]),
            Kind::Bytes => Data::Bytes(vec![0], vec![]),
            Kind::Text | Kind::Enum(_) => Data::Text(vec![0], vec![]),
            Kind::Fixed(size) => Data::Fixed(*size, vec![]),
            Kind::Array(item) => Data::List(vec![0], inner(*item)),
            Kind::Map(item) => Data::Map(vec![0], (vec![0], vec![]), inner(*item)),
            Kind::Record(fields) => Data::Record(
                0,
                fields
                    .iter()
                    .map(|field| field.wanted.then(|| Self::new(schema, field.kind)))
                    .collect(),
                fields.iter().map(|field| field.name.clone()).collect(),
            ),
        };
        Self { valid, data }
    }

    /// Where the next value goes, which is not null.
    fn next(&mut self) -> &mut Data {
        if let Some(valid) = &mut self.valid {
            valid.push(true);
        }
        &mut self.data
    }

    pub fn push_boolean(&mut self, value: bool) {
        if let Data::Boolean(values) = self.next() {
            values.push(value);
        }
    }

    pub fn push_whole(&mut self, value: i64, whole: Whole) {
        match (self.next(), whole) {
            (Data::Int(values) | Data::Date(values), _) => values.push(value as i32),
            (Data::Long(values), _) => values.push(value),
            (Data::Time(values, _), Whole::Time(ticks, _)) => {
                values.push(value * (1_000_000 / ticks));
            }
            _ => (),
        }
    }

    pub fn push_float(&mut self, value: f32) {
        if let Data::Float(values) = self.next() {
            values.push(value);
        }
    }

    pub fn push_double(&mut self, value: f64) {
        if let Data::Double(values) = self.next() {
            values.push(value);
        }
    }

    pub fn push_bytes(&mut self, value: &[u8]) {
        match self.next() {
            Data::Bytes(ends, values) | Data::Text(ends, values) => push(ends, values, value),
            Data::Fixed(_, values) => values.extend_from_slice(value),
            _ => (),
        }
    }

    pub fn push_key(&mut self, key: &str) {
        if let Data::Map(_, (ends, values), _) = &mut self.data {
            push(ends, values, key.as_bytes());
        }
    }

    /// End an array or a map of so many items.
    pub fn push_items(&mut self, count: usize) {
        if let Data::List(ends, _) | Data::Map(ends, ..) = self.next() {
            ends.push(ends[ends.len() - 1] + count as i32);
        }
    }

    pub fn push_record(&mut self) {
        if let Data::Record(count, ..) = self.next() {
            *count += 1;
        }
    }

    /// Add null, or where none can be, a value that is never read: it is within a null record.
    pub fn push_null(&mut self) {
        if let Some(valid) = &mut self.valid {
            valid.push(false);
        }
        match &mut self.data {
            Data::Null(count) => *count += 1,
            Data::Boolean(values) => values.push(false),
            Data::Int(values) | Data::Date(values) => values.push(0),
            Data::Long(values) | Data::Time(values, _) => values.push(0),
            Data::Float(values) => values.push(0.0),
            Data::Double(values) => values.push(0.0),
            Data::Fixed(size, values) => values.resize(values.len() + *size, 0),
            Data::Bytes(ends, _) | Data::Text(ends, _) => ends.push(ends[ends.len() - 1]),
            Data::List(ends, _) | Data::Map(ends, ..) => ends.push(ends[ends.len() - 1]),
            Data::Record(count, fields, _) => {
                *count += 1;
                fields.iter_mut().flatten().for_each(Self::push_null);
            }
        }
    }

    /// The items of an array or a map.
    pub fn items(&mut self) -> Option<&mut Column> {
        match &mut self.data {
            Data::List(_, items) | Data::Map(_, _, items) => Some(items),
            _ => None,
        }
    }

    /// A field of a record, if it is wanted.
    pub fn field(&mut self, number: usize) -> Option<&mut Column> {
        match &mut self.data {
            Data::Record(_, fields, _) => fields[number].as_mut(),
            _ => None,
        }
    }

    pub fn into_array(self) -> ArrayRef {
        let nulls = self.valid.map(NullBuffer::from).filter(|nulls| nulls.null_count() > 0);
        match self.data {
            Data::Null(count) => Arc::new(NullArray::new(count)),
            Data::Boolean(values) => Arc::new(BooleanArray::new(values.into(), nulls)),
            Data::Int(values) => Arc::new(PrimitiveArray::<Int32Type>::new(values.into(), nulls)),
            Data::Long(values) => Arc::new(PrimitiveArray::<Int64Type>::new(values.into(), nulls)),
            Data::Date(values) => Arc::new(PrimitiveArray::<Date32Type>::new(values.into(), nulls)),
            Data::Time(values, utc) => {
                let array = PrimitiveArray::<TimestampMicrosecondType>::new(values.into(), nulls);
                Arc::new(array.with_timezone_opt(utc.then_some("UTC")))
            }
            Data::Float(values) => {
                Arc::new(PrimitiveArray::<Float32Type>::new(values.into(), nulls))
            }
            Data::Double(values) => {
                Arc::new(PrimitiveArray::<Float64Type>::new(values.into(), nulls))
            }
            Data::Bytes(ends, values) => {
                Arc::new(BinaryArray::new(OffsetBuffer::new(ends.into()), values.into(), nulls))
            }
            Data::Text(ends, values) => Arc::new(texts(ends, values, nulls)),
            Data::Fixed(size, values) => {
                Arc::new(FixedSizeBinaryArray::new(size as i32, values.into(), nulls))
            }
            Data::List(ends, items) => {
                let items = items.into_array();
                let field = Field::new("item", items.data_type().clone(), true);
                let ends = OffsetBuffer::new(ends.into());
                Arc::new(ListArray::new(Arc::new(field), ends, items, nulls))
            }
            Data::Map(ends, (key_ends, keys), values) => {
                let arrays: Vec<ArrayRef> =
                    vec![Arc::new(texts(key_ends, keys, None)), values.into_array()];
                let fields = Fields::from(vec![
                    Field::new("key", arrays[0].data_type().clone(), false),
                    Field::new("value", arrays[1].data_type().clone(), true),
                ]);
                let entries = StructArray::new(fields, arrays, None);
                let field = Field::new("entries", entries.data_type().clone(), false);
                let ends = OffsetBuffer::new(ends.into());
                Arc::new(MapArray::new(Arc::new(field), ends, entries, nulls, false))
            }
            Data::Record(count, fields, names) => Arc::new(records(count, fields, &names, nulls)),
        }
    }

    /// A value as a Python object.
    pub fn object<'py>(&self, py: Python<'py>, at: usize) -> PyResult<Bound<'py, PyAny>> {
        if self.valid.as_ref().is_some_and(|valid| !valid[at]) {
            return Ok(py.None().into_bound(py));
        }
        Ok(match &self.data {
            Data::Null(_) => py.None().into_bound(py),
            Data::Boolean(values) => PyBool::new(py, values[at]).to_owned().into_any(),
            Data::Int(values) => values[at].into_pyobject(py)?.into_any(),
            Data::Long(values) => values[at].into_pyobject(py)?.into_any(),
            Data::Float(values) => values[at].into_pyobject(py)?.into_any(),
            Data::Double(values) => values[at].into_pyobject(py)?.into_any(),
            Data::Date(values) => {
                let ordinal = values[at] + 719_163;
                py.import("datetime")?.getattr("date")?.call_method1("fromordinal", (ordinal,))?
            }
            Data::Time(values, utc) => moment(py, values[at], *utc)?,
            Data::Bytes(ends, values) => PyBytes::new(py, slice(ends, values, at)).into_any(),
            Data::Text(ends, values) => text(py, slice(ends, values, at))?,
            Data::Fixed(size, values) => {
                PyBytes::new(py, &values[at * size..(at + 1) * size]).into_any()
            }
            Data::List(ends, items) => {
                let list = PyList::empty(py);
                for item in ends[at]..ends[at + 1] {
                    list.append(items.object(py, item as usize)?)?;
                }
                list.into_any()
            }
            Data::Map(ends, (key_ends, keys), values) => {
                let dict = PyDict::new(py);
                for item in ends[at] as usize..ends[at + 1] as usize {
                    let key = text(py, slice(key_ends, keys, item))?;
                    dict.set_item(key, values.object(py, item)?)?;
                }
                dict.into_any()
            }
            Data::Record(_, fields, names) => {
                let dict = PyDict::new(py);
                for (field, name) in fields.iter().zip(names.iter()) {
                    if let Some(field) = field {
                        dict.set_item(PyString::intern(py, name), field.object(py, at)?)?;
                    }
                }
                dict.into_any()
            }
        })
    }
}

fn push(ends: &mut Ends, values: &mut Vec<u8>, value: &[u8]) {
    values.extend_from_slice(value);
    // It fits: a batch is bounded far below.
    ends.push(values.len() as i32);
}

fn slice<'a>(ends: &Ends, values: &'a [u8], at: usize) -> &'a [u8] {
    &values[ends[at] as usize..ends[at + 1] as usize]
}

fn texts(ends: Ends, values: Vec<u8>, nulls: Option<NullBuffer>) -> StringArray {
    StringArray::new(OffsetBuffer::new(ends.into()), values.into(), nulls)
}

/// The fields of records that are wanted.
fn records(
    count: usize,
    fields: Vec<Option<Column>>,
    names: &[String],
    nulls: Option<NullBuffer>,
) -> StructArray {
    let (mut kinds, mut arrays) = (vec![], vec![]);
    for (field, name) in fields.into_iter().zip(names) {
        if let Some(field) = field {
            let array = field.into_array();
            kinds.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
    }
    match arrays.is_empty() {
        true => StructArray::new_empty_fields(count, nulls),
        false => StructArray::new(kinds.into(), arrays, nulls),
    }
}

fn text<'py>(py: Python<'py>, value: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    Ok(PyString::from_bytes(py, value)?.into_any())
}

/// A datetime, of microseconds since 1970.
fn moment(py: Python<'_>, microseconds: i64, utc: bool) -> PyResult<Bound<'_, PyAny>> {
    let module = py.import("datetime")?;
    let zone = match utc {
        true => module.getattr("timezone")?.getattr("utc")?,
        false => py.None().into_bound(py),
    };
    let epoch = module.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, zone))?;
    epoch.add(module.getattr("timedelta")?.call1((0, 0, microseconds))?)
}
