// sarama BROKER TOPIC N MODE...: send N records in every mode, each to TOPIC-MODE; an aborted half in txabort.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

func check(err error, what string) {
	if err != nil {
		fmt.Fprintln(os.Stderr, what, err)
		os.Exit(1)
	}
}

func config(mode, topic string) *sarama.Config {
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	config.Net.MaxOpenRequests = 1 // with more of them a request that is repeated comes behind those after it
	if mode == "default" {
		return config
	}
	config.Version = sarama.V2_8_0_0
	config.Producer.RequiredAcks = sarama.WaitForAll
	codecs := map[string]sarama.CompressionCodec{"gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}
	config.Producer.Compression = codecs[mode]
	switch mode {
	case "acks1":
		config.Producer.RequiredAcks = sarama.WaitForLocal
	case "acks0":
		config.Producer.RequiredAcks = sarama.NoResponse
	case "v0.11":
		config.Version = sarama.V0_11_0_0
	case "idempotent", "tx", "txabort":
		config.Producer.Idempotent = true
		if mode != "idempotent" {
			config.Producer.Transaction.ID = topic
		}
	}
	return config
}

func produce(broker, topic string, n int, mode string) {
	producer, err := sarama.NewSyncProducer([]string{broker}, config(mode, topic))
	check(err, "producer")
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for i := range n {
		message := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprintf("v%d", i)),
			Headers: []sarama.RecordHeader{{Key: []byte("h"), Value: []byte{1, 2}}}}
		if mode != "nullkey" {
			message.Key = sarama.StringEncoder(strconv.Itoa(i))
		}
		messages = append(messages, message)
	}
	if !strings.HasPrefix(mode, "tx") {
		check(producer.SendMessages(messages), "send")
		return
	}
	for i, part := range [][]*sarama.ProducerMessage{messages[:n/2], messages[n/2:]} {
		check(producer.BeginTxn(), "begin")
		check(producer.SendMessages(part), "send")
		if mode == "txabort" && i == 1 {
			check(producer.AbortTxn(), "abort")
		} else {
			check(producer.CommitTxn(), "commit")
		}
	}
}

func main() {
	n, err := strconv.Atoi(os.Args[3])
	check(err, "n")
	for _, mode := range os.Args[4:] {
		produce(os.Args[1], os.Args[2]+"-"+mode, n, mode)
	}
}
