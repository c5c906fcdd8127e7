//! Schemaless Avro messages of one schema as Arrow columns, Python objects and JSON.
//!
//! A message that is not what its schema says, to the byte, is refused, and so is one that only
//! fastavro takes. Nothing here panics on what a message holds.
mod columns;
mod schema;
mod walk;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ArrayRef;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyCapsule, PyList};

use columns::Column;
use schema::Schema;

/// The most that the messages of a batch may weigh together: their values, and their bytes.
const MOST_OF_BATCH: usize = 8_000_000;
const BYTES_A_WEIGHT: usize = 128;

fn error(reason: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(reason.to_string())
}

/// Columns of a batch of messages, for `pyarrow.record_batch`.
#[pyclass(frozen)]
struct Columns(ArrayRef);

#[pymethods]
impl Columns {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _ = requested_schema;
        let schema = FFI_ArrowSchema::try_from(self.0.data_type()).map_err(error)?;
        let array = FFI_ArrowArray::new(&self.0.to_data());
        #[allow(deprecated)]
        Ok((
            PyCapsule::new(py, schema, Some(c"arrow_schema".into()))?,
            PyCapsule::new(py, array, Some(c"arrow_array".into()))?,
        ))
    }
}

/// Reads messages of one schema.
///
/// Args:
///     schema: the writer's Avro schema, JSON, with each use of a named type written out. A field
///         whose "wanted" is false becomes no column.
///
/// Raises:
///     ValueError: the schema has types that are not known here.
#[pyclass(frozen)]
struct Reader(Schema);

#[pymethods]
impl Reader {
    #[new]
    fn new(schema: &str) -> PyResult<Self> {
        Ok(Self(Schema::new(schema).ok_or_else(|| error("a type is not known"))?))
    }

    /// The numbers of the messages that are refused.
    fn refused(&self, py: Python<'_>, messages: Vec<PyBackedBytes>) -> Vec<usize> {
        py.detach(|| self.checked(&messages).1)
    }

    /// The columns of the messages that are accepted, and the numbers of the others.
    fn columns(&self, py: Python<'_>, messages: Vec<PyBackedBytes>) -> (Columns, Vec<usize>) {
        let (column, refused) = py.detach(|| self.column(&messages));
        (Columns(column.into_array()), refused)
    }

    /// The wanted fields of each message; none for one that is refused.
    fn rows<'py>(
        &self,
        py: Python<'py>,
        messages: Vec<PyBackedBytes>,
    ) -> PyResult<Bound<'py, PyList>> {
        let (column, refused) = py.detach(|| self.column(&messages));
        let rows = PyList::empty(py);
        for number in 0..messages.len() {
            match refused.binary_search(&number) {
                Ok(_) => rows.append(py.None())?,
                Err(before) => rows.append(column.object(py, number - before)?)?,
            }
        }
        Ok(rows)
    }

    /// Each message as JSON; none for one that is refused.
    fn json<'py>(
        &self,
        py: Python<'py>,
        messages: Vec<PyBackedBytes>,
    ) -> PyResult<Bound<'py, PyList>> {
        let mut text = vec![];
        let lines = messages.iter().map(|message| {
            text.clear();
            let weight = py.detach(|| walk::pass(&self.0, message, &mut text, None));
            weight.map(|_| PyBytes::new(py, &text))
        });
        PyList::new(py, lines.collect::<Vec<_>>())
    }
}

impl Reader {
    /// The messages that are accepted, and the numbers of the others.
    fn checked<'a>(&self, messages: &'a [PyBackedBytes]) -> (Vec<&'a [u8]>, Vec<usize>) {
        let (mut accepted, mut refused) = (Vec::with_capacity(messages.len()), vec![]);
        let mut left = MOST_OF_BATCH;
        for (number, message) in messages.iter().enumerate() {
            match self.take(message, &mut left, None) {
                Some(()) => accepted.push(message.as_ref()),
                None => refused.push(number),
            }
        }
        (accepted, refused)
    }

    /// Take what a message weighs; none where it is refused, or too much is taken.
    fn take(&self, message: &[u8], left: &mut usize, column: Option<&mut Column>) -> Option<()> {
        let weight = walk::pass(&self.0, message, &mut (), column)?;
        *left = left.checked_sub(weight + message.len() / BYTES_A_WEIGHT)?;
        Some(())
    }

    /// The values of the messages that are accepted, and the numbers of the others.
    fn column(&self, messages: &[PyBackedBytes]) -> (Column, Vec<usize>) {
        let all: Vec<&[u8]> = messages.iter().map(AsRef::as_ref).collect();
        if let Some(column) = self.filled(&all) {
            return (column, vec![]);
        }
        // A message that is refused leaves half a row: begin again without it.
        let (accepted, refused) = self.checked(messages);
        (self.filled(&accepted).unwrap_or_else(|| self.empty()), refused)
    }

    fn filled(&self, messages: &[&[u8]]) -> Option<Column> {
        let (mut column, mut left) = (self.empty(), MOST_OF_BATCH);
        for message in messages {
            self.take(message, &mut left, Some(&mut column))?;
        }
        Some(column)
    }

    fn empty(&self) -> Column {
        Column::new(&self.0, self.0.root)
    }
}

#[pymodule]
fn fink_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Reader>()?;
    module.add_class::<Columns>()
}
