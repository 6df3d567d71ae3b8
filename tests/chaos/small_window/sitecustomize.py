"""A recorder that counts on a tenth of CHAOS_WINDOW remembered inserts: put this folder on its PYTHONPATH."""

import os

from weir.edges.clickhouse import blocks as block_store

block_store.REMEMBERED_BLOCKS = int(os.environ["CHAOS_WINDOW"]) // 10
