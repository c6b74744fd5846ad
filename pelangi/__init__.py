"""Pelangi: mobile civil registration for people who cannot come to the office."""
