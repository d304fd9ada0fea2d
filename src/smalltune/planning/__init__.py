"""Planning: what was asked, what its names mean on this day, and the jobs that answer it."""
