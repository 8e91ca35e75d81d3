"""Files to scans."""
