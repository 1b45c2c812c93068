package peer;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.function.Supplier;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.IndexedRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/**
 * Avro behind a zero byte and the id of a schema, as the serdes of a schema registry have it: records of classes that
 * know their fields by number, as generated ones do. Schemas are known beforehand, ids stand for themselves.
 */
final class AvroSerde {
  private static final int FRAME = 5;

  private AvroSerde() {}

  /** The schema that Millrace makes for such columns: "AUCTION long", "URL string" and so on, all of them optional. */
  static Schema schema(String... columns) {
    var fields =
        SchemaBuilder.record("io.confluent.ksql.avro_schemas.KsqlDataSourceSchema").fields();
    for (String column : columns) {
      String[] part = column.split(" ");
      Schema type = Schema.create(Schema.Type.valueOf(part[1].toUpperCase()));
      fields = fields.name(part[0]).type(Schema.createUnion(Schema.create(Schema.Type.NULL), type)).withDefault(null);
    }
    return fields.endRecord();
  }

  /** A record with its fields in an array, for the rows that are written. */
  static GenericData.Record row(Schema schema, Object... values) {
    GenericData.Record record = new GenericData.Record(schema);
    for (int i = 0; i < values.length; i++) record.put(i, values[i]);
    return record;
  }

  static <T extends IndexedRecord> Serde<T> of(Schema schema, int id, Supplier<T> make) {
    GenericData data =
        new GenericData() {
          @Override
          public Object newRecord(Object old, Schema wanted) {
            return make.get();
          }
        };
    GenericDatumWriter<T> writer = new GenericDatumWriter<>(schema, data);
    GenericDatumReader<T> reader = new GenericDatumReader<>(schema, schema, data);
    byte[] frame = ByteBuffer.allocate(FRAME).put((byte) 0).putInt(id).array();
    return Serdes.serdeFrom(
        (topic, value) -> {
          if (value == null) return null;
          try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.write(frame);
            BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
            writer.write(value, encoder);
            encoder.flush();
            return out.toByteArray();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        },
        (topic, bytes) -> {
          if (bytes == null) return null;
          try {
            return reader.read(null, DecoderFactory.get().binaryDecoder(bytes, FRAME, bytes.length - FRAME, null));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }
}
