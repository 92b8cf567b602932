"""Pages about the whole site: legal texts, which the operator may replace, and what search engines are told."""
