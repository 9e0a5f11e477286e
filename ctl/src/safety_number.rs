//! A safety number (PROTOCOL.md 7.22) for eyes, ears and cameras: digits, words, a QR code.

use bip39::Language;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// Decimal digits of a number.
const DIGITS: usize = 60;

/// Rows of words; a row says 15 digits, three groups of five.
const ROWS: usize = 4;

const DIGITS_A_ROW: usize = DIGITS / ROWS;

/// The least that 15 digits fit in: 2,048⁵ > 10¹⁵.
const WORDS_A_ROW: usize = 5;

const LIST: Language = Language::English;

/// Words in the list.
const BASE: u64 = 2048;

/// The digits alone; none where the daemon's text is not a safety number.
fn digits(number: &str) -> Option<String> {
    let digits: String = number.chars().filter(|c| !c.is_whitespace()).collect();
    (digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

/// The number in words (PROTOCOL.md 7.23): four rows of five.
pub(crate) fn words(number: &str) -> Option<Vec<String>> {
    let digits = digits(number)?;
    (0..ROWS)
        .map(|row| digits.get(row * DIGITS_A_ROW..(row + 1) * DIGITS_A_ROW).and_then(row_of_words))
        .collect()
}

fn row_of_words(digits: &str) -> Option<String> {
    let mut rest: u64 = digits.parse().ok()?;
    let mut words = [""; WORDS_A_ROW];
    for word in words.iter_mut().rev() {
        *word = LIST.word_list().get(usize::try_from(rest % BASE).ok()?)?;
        rest /= BASE;
    }
    Some(words.join(" "))
}

/// The digits that a person gave as digits or as words. What is neither is left as it is: the daemon says what is wrong
/// with it.
///
/// # Errors
/// The word that is not in the list, or how many words there are in place of 20.
pub(crate) fn from_person(text: &str) -> Result<String, String> {
    if !text.contains(|c: char| c.is_alphabetic()) {
        return Ok(text.trim().to_owned());
    }
    let words = text
        .split_whitespace()
        .map(|word| {
            let word = word.to_lowercase();
            LIST.find_word(&word).ok_or_else(|| format!("{word} is not a word of a safety number"))
        })
        .collect::<Result<Vec<u16>, String>>()?;
    if words.len() != ROWS * WORDS_A_ROW {
        return Err(format!("a safety number has {} words, not {}", ROWS * WORDS_A_ROW, words.len()));
    }
    words.chunks(WORDS_A_ROW).map(row_of_digits).collect()
}

fn row_of_digits(words: &[u16]) -> Result<String, String> {
    let value = words.iter().fold(0, |value: u64, word| value * BASE + u64::from(*word));
    let digits = format!("{value:0DIGITS_A_ROW$}");
    if digits.len() == DIGITS_A_ROW { Ok(digits) } else { Err("these words are no safety number".to_owned()) }
}

/// The number's digits as a QR code of half blocks, light where a terminal puts its text's colour.
pub(crate) fn qr(number: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(digits(number)?, EcLevel::M).ok()?;
    Some(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NUMBER: &str = "00000 00000 00001 99999 99999 99999 12345 67890 12345 00000 20480 00000";

    #[test]
    fn a_number_has_four_rows_of_five_words() {
        // Reckoned by hand from the list.
        let rows = [
            "abandon abandon abandon abandon ability",
            "alpha subject fame boring zoo",
            "abstract afraid drink danger upset",
            "abandon abandon dial elite abandon",
        ];
        let words = words(NUMBER).unwrap();
        assert_eq!(words.len(), ROWS);
        assert_eq!(words, rows);
    }

    #[test]
    fn what_is_no_number_has_neither_words_nor_a_code() {
        for text in ["", "12345", &NUMBER.replace('9', "x"), &format!("{NUMBER}1"), &"٣".repeat(DIGITS)] {
            assert_eq!((words(text), qr(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn words_that_say_no_number_are_refused_by_what_is_wrong() {
        let list = words(NUMBER).unwrap().join(" ");
        assert!(from_person(&list.replace("alpha", "alpa")).unwrap_err().starts_with("alpa is not a word"));
        assert!(from_person(&list.replace("alpha ", "")).unwrap_err().contains("20 words, not 19"));
        assert!(from_person(&["zoo"; 20].join(" ")).unwrap_err().contains("no safety number"));
    }

    #[test]
    fn a_camera_reads_the_digits_from_the_code() {
        // The half blocks, as the picture that they draw: a lit half is white.
        let code = qr(NUMBER).unwrap();
        let rows: Vec<Vec<char>> = code.lines().map(|line| line.chars().collect()).collect();
        let is_lit = |x: usize, y: usize| match rows[y / 2][x] {
            '█' => true,
            '▀' => y.is_multiple_of(2),
            '▄' => !y.is_multiple_of(2),
            _ => false,
        };
        // Bigger than a module a pixel, as a camera sees it.
        const SCALE: usize = 4;
        let (width, height) = (rows[0].len() * SCALE, rows.len() * 2 * SCALE);
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
            if is_lit(x / SCALE, y / SCALE) { 255 } else { 0 }
        });
        let (_, read) = picture.detect_grids().first().expect("a code").decode().unwrap();
        assert_eq!(read, NUMBER.replace(' ', ""));
        assert!(rows[0].len() <= 80 && rows.len() <= 24, "a terminal shows it whole: {code}");
    }

    proptest! {
        #[test]
        fn words_say_what_the_digits_say(digits in "[0-9]{60}") {
            let words = words(&digits).unwrap();
            prop_assert_eq!(from_person(&words.join("\n").to_uppercase()).unwrap(), digits);
        }

        #[test]
        fn nothing_that_a_person_gives_panics(text in "\\PC*") {
            let _ = from_person(&text);
        }
    }
}
