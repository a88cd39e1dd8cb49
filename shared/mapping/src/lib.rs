//! The pure half of the feed.
#[cfg(test)]
mod tests {
    #[test]
    fn builds() {
        assert_eq!(1 + 1, 2);
    }
}
