//! Schemaless Avro messages of one schema into Arrow columns, by arrow-avro, and into JSON.
//!
//! A message that is not what its schema says, to the byte, is refused before anything is made of
//! it, and so is one that only fastavro takes. Nothing here panics on what a message holds; if a
//! library does, the messages of that batch are refused.
mod schema;
mod walk;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_avro::reader::{Decoder, DecoderMode, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, SchemaStore};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyCapsule, PyList};

use schema::Schema;

/// The most that the messages of a batch may weigh together.
const MOST_OF_BATCH: usize = 8_000_000;

fn error(reason: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(reason.to_string())
}

/// Columns of a batch of messages, for `pyarrow.record_batch`.
#[pyclass(frozen)]
struct Columns(RecordBatch);

#[pymethods]
impl Columns {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _ = requested_schema;
        let schema = FFI_ArrowSchema::try_from(self.0.schema().as_ref()).map_err(error)?;
        let array = FFI_ArrowArray::new(&StructArray::from(self.0.clone()).to_data());
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
///     schema: the writer's Avro schema, JSON. All names are without a namespace.
///     wanted: the part of it that becomes columns; all of it, if there is none.
///
/// Raises:
///     ValueError: the schema has types that are not known here.
#[pyclass(frozen)]
struct Reader {
    schema: Schema,
    writer: Arc<str>,
    wanted: Option<Arc<str>>,
    idle: Mutex<Option<Decoder>>,
}

#[pymethods]
impl Reader {
    #[new]
    #[pyo3(signature = (schema, wanted=None))]
    fn new(schema: &str, wanted: Option<&str>) -> PyResult<Self> {
        let reader = Self {
            schema: Schema::new(schema).ok_or_else(|| error("a type is not known"))?,
            writer: schema.into(),
            wanted: wanted.map(Into::into),
            idle: Mutex::new(None),
        };
        let decoder = catch_unwind(AssertUnwindSafe(|| reader.decoder(1)));
        decoder.unwrap_or_else(|_| Err("the schema is not taken".into())).map_err(error)?;
        Ok(reader)
    }

    /// The numbers of the messages that are refused.
    fn refused(&self, py: Python<'_>, messages: Vec<PyBackedBytes>) -> Vec<usize> {
        py.detach(|| self.accepted(&messages).1)
    }

    /// The columns of the messages, if any is accepted, and the numbers of those that are refused.
    fn columns(
        &self,
        py: Python<'_>,
        messages: Vec<PyBackedBytes>,
    ) -> (Option<Columns>, Vec<usize>) {
        py.detach(|| {
            let (accepted, refused) = self.accepted(&messages);
            match self.decoded(&accepted) {
                Some(batch) => (Some(Columns(batch)), refused),
                None => (None, (0..messages.len()).collect()),
            }
        })
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
            let weight = py.detach(|| walk::pass(&self.schema, message, &mut text));
            weight.map(|_| PyBytes::new(py, &text))
        });
        PyList::new(py, lines.collect::<Vec<_>>())
    }
}

impl Reader {
    fn accepted<'a>(&self, messages: &'a [PyBackedBytes]) -> (Vec<&'a [u8]>, Vec<usize>) {
        let (mut accepted, mut refused) = (Vec::with_capacity(messages.len()), vec![]);
        let mut left = MOST_OF_BATCH;
        for (number, message) in messages.iter().enumerate() {
            let weight = walk::pass(&self.schema, message, &mut ());
            match weight.and_then(|weight| left.checked_sub(weight)) {
                Some(rest) => {
                    left = rest;
                    accepted.push(message.as_ref());
                }
                None => refused.push(number),
            }
        }
        (accepted, refused)
    }

    /// All of the messages; none if there are none, or arrow-avro does not take one of them.
    fn decoded(&self, messages: &[&[u8]]) -> Option<RecordBatch> {
        // One at a time; what is interrupted by an error is not used again: it keeps half a row.
        let idle = self.idle.lock().ok()?.take();
        let mut decoder = match idle {
            Some(decoder) if decoder.batch_size() >= messages.len() => decoder,
            _ => self.decoder(messages.len().max(1_000)).ok()?,
        };
        let batch = catch_unwind(AssertUnwindSafe(|| {
            for message in messages {
                if decoder.decode(message).ok()? != message.len() {
                    return None;
                }
            }
            decoder.flush().ok()?
        }));
        let batch = batch.ok()??;
        *self.idle.lock().ok()? = Some(decoder);
        (batch.num_rows() == messages.len()).then_some(batch)
    }

    fn decoder(&self, rows: usize) -> Result<Decoder, String> {
        let mut store = SchemaStore::new();
        let schema = AvroSchema::new(self.writer.to_string());
        store.register(schema).map_err(|error| error.to_string())?;
        let mut builder = ReaderBuilder::new()
            .with_writer_schema_store(store)
            .with_decoder_mode(DecoderMode::UnframedDatum)
            .with_batch_size(rows);
        if let Some(wanted) = &self.wanted {
            builder = builder.with_reader_schema(AvroSchema::new(wanted.to_string()));
        }
        builder.build_decoder().map_err(|error| error.to_string())
    }
}

#[pymodule]
fn fink_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Reader>()?;
    module.add_class::<Columns>()
}
