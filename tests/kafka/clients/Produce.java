import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/** Produce BROKER TOPIC N MODE...: send N records in every mode, each to TOPIC-MODE; an aborted half in txabort. */
public class Produce {
  public static void main(String[] args) throws Exception {
    for (int i = 3; i < args.length; i++) produce(args[0], args[1] + "-" + args[i], Integer.parseInt(args[2]), args[i]);
  }

  static Properties options(String broker, String topic, String mode) {
    Properties options = new Properties();
    options.put("bootstrap.servers", broker);
    options.put("key.serializer", StringSerializer.class);
    options.put("value.serializer", StringSerializer.class);
    switch (mode) {
      case "none", "gzip", "snappy", "lz4", "zstd" -> options.put("compression.type", mode);
      case "acks1", "acks0" -> { options.put("acks", mode.substring(4)); options.put("enable.idempotence", false); }
      case "tx", "txabort" -> options.put("transactional.id", topic);
      default -> { }
    }
    return options;
  }

  static void produce(String broker, String topic, int n, String mode) throws Exception {
    List<ProducerRecord<String, String>> records = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      var record = new ProducerRecord<>(topic, mode.equals("nullkey") ? null : String.valueOf(i), "v" + i);
      record.headers().add("h", new byte[] {1, 2});
      records.add(record);
    }
    try (var producer = new KafkaProducer<String, String>(options(broker, topic, mode))) {
      if (!mode.startsWith("tx")) {
        send(producer, records);
        return;
      }
      producer.initTransactions();
      for (int part = 0; part < 2; part++) {
        producer.beginTransaction();
        send(producer, records.subList(part * n / 2, (part + 1) * n / 2));
        if (mode.equals("txabort") && part == 1) producer.abortTransaction(); else producer.commitTransaction();
      }
    }
  }

  static void send(KafkaProducer<String, String> producer, List<ProducerRecord<String, String>> records) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (var record : records) sent.add(producer.send(record));
    for (var one : sent) one.get();
  }
}
