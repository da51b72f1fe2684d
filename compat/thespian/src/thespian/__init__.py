"""The Thespian API on top of Garrick. Programs import `thespian.actors`; this package itself offers nothing."""
