"""The app: a local page on which one looks at classes, describes new ones and tries them on samples of one's own."""
