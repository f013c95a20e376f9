"""Readers under arbitrary bytes: each module has `one(data)`, which may raise DlcliError and nothing else.

`python -m tests.fuzz table -max_total_time=600` searches, guided by coverage (needs atheris); what it
finds worth keeping goes into corpus/<reader>/.
"""
