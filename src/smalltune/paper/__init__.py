"""Paper: results and a study's own words become LaTeX whose every number leads back to runs."""
