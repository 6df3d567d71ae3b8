"""The specification that `weir bundle spec --example` prints: every key, and what it means."""

from __future__ import annotations

from typing import Final

SPEC: Final = """\
# What `weir bundle build bundle.yaml` needs. Paths are relative to this file. Text that looks like a number, or like
# true or null, stands in quotes. Keys marked optional may be left out.

service: churn                # requests come on the topic of this service; letters, digits, - and _
name: churn-model             # the model's own name
version: "1"                  # predictions are told apart by it: a new one for each bundle
owner: growth-team

model: churn.onnx             # ONNX as its exporter wrote it, or LightGBM's own text model (.txt), which is converted
output: probabilities         # optional: which of the model's outputs is the score, where it has several
column: 1                     # optional: its column, from 0; or `class: churned`, by the model's own name of the class.
                              # Of a label and two probabilities the second is taken where neither is given
golden: golden.parquet        # a column for each input (a category by its name or its code), and `score`: what the
                              # trained model itself gave for 100 rows or more; for multiclass a column `score_<class>`
                              # for each class instead. A LightGBM model that names its columns gives the scores itself
baseline: baseline.parquet    # reference rows, which show what is normal: the same columns, the scores in any case, and
                              # `label` (the class; of two classes 0 or 1 will do; or the number that was predicted)
card: card.md                 # for people: what the model is for, what it was trained on, where it fails

training_from: 2026-01-01     # optional, first and last day of the training data
training_to: 2026-06-30
training_snapshot: churn@4711 # optional: which state of the data: a snapshot's id, a commit, a query's number
tolerance: 0.000001           # optional: a golden score may be missed by this, or by 1e-5 of itself if that is more
metrics: {auc: 0.91}          # optional: numbers to remember

# What a prediction was worth, once its outcome is known: one expression of ClickHouse's SQL over decision, score,
# label, observed and attributes['...']. It belongs to the service and not to the bundle: `weir migrate` takes it over.
# An attribute that an outcome does not have is 0; for no value: if(mapContains(attributes, 'kept'), ..., NULL)
# value: "if(decision = 'positive', if(label = 'positive', attributes['kept'], -5), 0)"

# feature_service: churn_v1   # needed for inputs with `source: feature`: a Feast feature service that was applied here

signature:
  task: binary                # optional: binary (the probability of one of two classes), multiclass or regression
  threshold: 0.5              # optional, binary only: score >= threshold is the positive decision
  # classes: [stays, churned] # multiclass: all classes, in the order of the output's columns. binary, optional: the
                              # words of the decision, the positive class second, else negative and positive
  # bands:                    # optional, for regression, or binary in place of a threshold: decisions by score
  #   - name: low             # the lowest one first, which begins nowhere
  #   - name: high            # score >= from
  #     from: 30
  # join_keys:                # the keys by which the feature service is asked, all of them and no others
  #   - name: customer        # Feast's join key and the request's field, the same word
  #     dtype: STRING         # STRING or INT64, as the feature service has it
  #     required: true        # false: a request without it is scored, its features are "not found"
  inputs:                     # in the order of the model's columns. A model that takes all texts in one tensor and all
                              # numbers in another gets each in this order; one that names its columns gets them by name
    - name: amount            # the model's name of the column
      source: request         # request: a field of the request; feature: from the online store
      ref: amount             # the field's name, or view__feature
      dtype: float            # float, double, int, bool, category or string: how the caller writes it. The model gets
                              # what its own input takes: float32, double or int64 with every digit, a string's text
      low: 0                  # optional, as is high: a value outside goes to the dead letters
      high: 100000
      doc: money spent so far # optional: becomes the documentation of the request's field
      # cycle: calendar       # optional: it moves by nature, with the clock (calendar) or the year (season). The map of
                              # drift says so, and does not count it among what has moved
    - name: channel
      source: request
      ref: channel
      dtype: category
      categories: [web, app, shop]  # the model gets the position: 0, 1 or 2
      on_missing: default     # null, or a category that is not listed: reject (a dead letter), default, or use (NaN)
      default: 0
    # - name: spend_7d
    #   source: feature
    #   ref: customer_recent__spend_7d
    #   on_missing: default   # the store has no value: use (NaN), default or reject
    #   on_stale: use         # the value is older than max_age_s, or than the view's ttl: use, default or reject
    #   on_unavailable: use   # the store does not answer in time: use (the last value read), default or reject
    #   default: 0
    #   max_age_s: 86400      # optional
    # - name: plan            # a String feature is a category: the model gets the position
    #   source: feature
    #   ref: customer_recent__plan
    #   dtype: category
    #   categories: [free, paid]
    # - name: since_login     # a UnixTimestamp feature is an age: the time from then to the request
    #   source: feature
    #   ref: customer_recent__last_login
    #   dtype: age
    #   unit: h               # s, min, h or d
"""
