"""What every page shares: error pages, security headers, filters, static files."""
