"""What happens to cells and verdicts when real fields are changed as cameras, light and software change them."""
