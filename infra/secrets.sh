#!/bin/sh
# Makes the secrets that docker-compose.yml reads, once: what exists is kept. Usage: infra/secrets.sh [FOLDER]
set -eu
folder="${1:-$(dirname "$0")/secrets}"
mkdir -p "$folder"
chmod 700 "$folder"   # the files themselves must be readable by the containers' users

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1; }
keep() {  # NAME TEXT
  if [ -s "$folder/$1" ]; then echo "kept $folder/$1"; else printf '%s' "$2" > "$folder/$1"; chmod 644 "$folder/$1"; echo "made $folder/$1"; fi
}

keep redis_password "$(random)"
keep weir_online_store "redis://:$(cat "$folder/redis_password")@redis:6379/0"
keep grafana_password "$(random)"
keep weir_clickhouse_password "$(random)"
keep weir_clickhouse_reader_password "$(random)"
keep weir_console_token "$(random)"
hash_of() { printf '%s' "$(cat "$folder/$1")" | sha256; }
keep clickhouse_users.xml "<clickhouse>
  <users>
    <default remove=\"remove\"/>
    <weir>
      <password_sha256_hex>$(hash_of weir_clickhouse_password)</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </weir>
  </users>
</clickhouse>
"
# What this user may do stands in clickhouse/reader.xml.
keep clickhouse_reader.xml "<clickhouse>
  <users><reader><password_sha256_hex>$(hash_of weir_clickhouse_reader_password)</password_sha256_hex></reader></users>
</clickhouse>
"
