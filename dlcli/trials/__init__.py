"""Trials: trainings and fits in processes of their own, resumable. One file is one kind of job."""
