// node produce.js BROKER TOPIC N MODE: send N records with keys "0".., values "v0".. and headers; an aborted half in txabort
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')
const [, , broker, topic, n, mode] = process.argv
const codecs = { gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy }
if (mode === 'snappy') CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

async function main () {
  const transactional = mode.startsWith('tx') ? { transactionalId: `${topic}-js` } : {}
  const careful = mode === 'idempotent' || mode.startsWith('tx') ? { idempotent: true, maxInFlightRequests: 1 } : {}
  const producer = new Kafka({ brokers: [broker], logLevel: logLevel.WARN }).producer({ ...careful, ...transactional })
  await producer.connect()
  const messages = Array.from({ length: Number(n) }, (_, i) => ({
    key: mode === 'nullkey' ? null : `${i}`, value: `v${i}`, headers: { h: Buffer.from([1, 2]) }
  }))
  if (mode.startsWith('tx')) {
    const half = messages.length / 2
    for (const part of [0, 1]) {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: messages.slice(part * half, (part + 1) * half) })
      if (mode === 'txabort' && part === 1) await transaction.abort(); else await transaction.commit()
    }
  } else {
    const acks = mode === 'acks1' ? 1 : mode === 'acks0' ? 0 : -1
    await producer.send({ topic, messages, compression: codecs[mode] ?? CompressionTypes.None, acks })
  }
  await producer.disconnect()
}
main().catch(error => { console.error(error.name, error.message); process.exit(1) })
