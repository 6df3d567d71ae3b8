// franz BROKER TOPIC N MODE...: send N records in every mode, each to TOPIC-MODE; an aborted half in txabort.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func check(err error, what string) {
	if err != nil {
		fmt.Fprintln(os.Stderr, what, err)
		os.Exit(1)
	}
}

func options(mode, topic string) []kgo.Opt {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	if codec, ok := codecs[mode]; ok {
		return []kgo.Opt{kgo.ProducerBatchCompression(codec)}
	}
	switch mode {
	case "acks1":
		return []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()}
	case "acks0":
		return []kgo.Opt{kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite()}
	case "tx", "txabort":
		return []kgo.Opt{kgo.TransactionalID(topic)}
	}
	return nil
}

func produce(broker, topic string, n int, mode string) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client, err := kgo.NewClient(append(options(mode, topic), kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic))...)
	check(err, "client")
	defer client.Close()
	var records []*kgo.Record
	for i := range n {
		record := &kgo.Record{Value: []byte(fmt.Sprintf("v%d", i)), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{1, 2}}}}
		if mode != "nullkey" {
			record.Key = []byte(strconv.Itoa(i))
		}
		records = append(records, record)
	}
	if !strings.HasPrefix(mode, "tx") {
		check(client.ProduceSync(ctx, records...).FirstErr(), "produce")
		return
	}
	for i, part := range [][]*kgo.Record{records[:n/2], records[n/2:]} {
		check(client.BeginTransaction(), "begin")
		check(client.ProduceSync(ctx, part...).FirstErr(), "produce")
		check(client.EndTransaction(ctx, kgo.TransactionEndTry(mode != "txabort" || i == 0)), "end")
	}
}

func main() {
	n, err := strconv.Atoi(os.Args[3])
	check(err, "n")
	for _, mode := range os.Args[4:] {
		produce(os.Args[1], os.Args[2]+"-"+mode, n, mode)
	}
}
