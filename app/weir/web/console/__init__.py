"""The console: what is recorded, as pages. An address says all that a page shows; a panel is a question and its answer.

view: an address -> what is asked about. asking: the questions, as ClickHouse's reader. panel, panels: answers as HTML.
app: addresses -> pages. acting: what a person may do. security: who may ask, and what a page may load.
"""
