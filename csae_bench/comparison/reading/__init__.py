"""A folder of results, ours or published, as readings: `folder` begins, the rest are its parts."""
