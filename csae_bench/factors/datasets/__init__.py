"""Factor datasets by name: each module or package here registers the one it is named for."""
