//! From the words of a note to the lines of a deposit: a proposal, never a decision.
//!
//! [`Understand`] has an embedded default, which reads by the rules of the crate `note_reader`, and may have a chat model
//! that the operator names ([`llm`]) before it. `docs/UNDERSTANDING.md` explains both.

pub mod llm;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use tokio::sync::OnceCell;

use deposit::Attachment;
use deposit::taxonomy::Taxonomy;
use note_reader::site::{Learned, Site};
use note_reader::{Classifier, correction, typical};
use session::{Correction, Language, OnCard, Understanding};

/// Turns a note into lines.
#[async_trait]
pub trait Understand: Send + Sync + 'static {
    /// The lines of a note, in the order they were said; none where the note is no deposit.
    ///
    /// # Errors
    /// [`UnderstandError`] means that trying again may help.
    async fn understand(&self, note: &str, language: Language) -> Result<Understanding, UnderstandError>;

    /// The correction that a note makes to the lines its author had before them; `None` where it is not about them.
    ///
    /// # Errors
    /// [`UnderstandError`] means that trying again may help.
    async fn correct(
        &self,
        note: &str,
        card: &OnCard<'_>,
        language: Language,
    ) -> Result<Option<Correction>, UnderstandError>;

    /// The lines of a photo; none where no model reads photos, or nothing is seen.
    ///
    /// # Errors
    /// [`UnderstandError`] means that trying again may help.
    async fn look(&self, _photo: &Attachment, _language: Language) -> Result<Understanding, UnderstandError> {
        Ok(Understanding::default())
    }
}

/// Why a note could not be worked on for now.
#[derive(Debug, thiserror::Error)]
pub enum UnderstandError {
    /// The model is not there or did not answer.
    #[error("understanding is not available: {0}")]
    Unavailable(String),
}

/// The embedded default: lines read by rules, their categories by what the site has learned, else by a [`Classifier`]
/// trained on the taxonomy and the lexicon.
#[derive(Clone, Debug)]
pub struct Embedded {
    taxonomy: Arc<Taxonomy>,
    classifier: Arc<OnceCell<Classifier>>,
    site: Arc<RwLock<Arc<Site>>>,
}

impl Embedded {
    /// Begins to train in the background and returns at once; a note that comes earlier waits for it.
    ///
    /// Must be called within a tokio runtime.
    #[must_use]
    pub fn start(taxonomy: Arc<Taxonomy>) -> Self {
        let embedded = Self { classifier: trained_on(&taxonomy), taxonomy, site: Arc::default() };
        let training = embedded.clone();
        tokio::spawn(async move {
            if let Err(error) = training.classifier().await {
                tracing::error!(
                    %error,
                    "the classifier could not be trained: the next note waits and tries again; if that fails too, \
                     restart the bot"
                );
            }
        });
        embedded
    }

    /// From now on the site knows this, and nothing else.
    pub fn learn(&self, learned: Vec<Learned>) {
        *self.site.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Site::new(learned));
    }

    fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn classifier(&self) -> Result<&Classifier, UnderstandError> {
        let train = || async {
            let taxonomy = Arc::clone(&self.taxonomy);
            let trained = tokio::task::spawn_blocking(move || Classifier::train(&taxonomy)).await;
            trained.map_err(|error| UnderstandError::Unavailable(error.to_string()))
        };
        self.classifier.get_or_try_init(train).await
    }
}

/// The classifier of a taxonomy; the bots of one process share it, trained once.
fn trained_on(taxonomy: &Arc<Taxonomy>) -> Arc<OnceCell<Classifier>> {
    type Trained = (Arc<Taxonomy>, Arc<OnceCell<Classifier>>);
    static ALL: Mutex<Vec<Trained>> = Mutex::new(Vec::new());
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, classifier)) = all.iter().find(|(known, _)| known == taxonomy) {
        return Arc::clone(classifier);
    }
    let classifier = Arc::default();
    all.push((Arc::clone(taxonomy), Arc::clone(&classifier)));
    classifier
}

#[async_trait]
impl Understand for Embedded {
    async fn understand(&self, note: &str, language: Language) -> Result<Understanding, UnderstandError> {
        let mut found = self.classifier().await?.understand(note, language, &self.site());
        typical::suggest(&mut found);
        Ok(found)
    }

    async fn correct(
        &self,
        note: &str,
        card: &OnCard<'_>,
        language: Language,
    ) -> Result<Option<Correction>, UnderstandError> {
        let (classifier, site) = (self.classifier().await?, self.site());
        Ok(correction::read(note, card, language, classifier, &self.taxonomy, &site))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deposit::{Destination, LINES_MAX, Line, Weight, WeightSource};
    use note_reader::{MODEL, OBJECT_CHARS_MAX};

    async fn understood(note: &str) -> Vec<Line> {
        let embedded = Embedded::start(Arc::new(Taxonomy::built_in().unwrap()));
        embedded.understand(note, Language::Fr).await.unwrap().lines
    }

    #[tokio::test]
    async fn a_note_becomes_lines_with_proposals() {
        let lines = understood(
            "deux bouilloires, 2,5 kg, et un lot de vaisselle six kilos, la vaisselle au recyclage",
        )
        .await;
        let [kettles, dishes] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((kettles.object.as_str(), kettles.quantity), ("bouilloires", Some(2)));
        assert_eq!(kettles.weight, Some(Weight { grams: 2_500, source: WeightSource::Stated }));
        assert_eq!(kettles.destination, Destination::Magasin);
        assert_eq!(kettles.category(), &"small_equipment".into());
        assert_eq!((kettles.proposal.model.as_str(), kettles.chosen.clone()), (MODEL, None));
        assert_eq!((dishes.quantity, dishes.destination), (None, Destination::Recyclage));
        assert_eq!(dishes.weight, Some(Weight { grams: 6_000, source: WeightSource::Stated }));
        assert_eq!(dishes.category(), &"household".into());
    }

    #[tokio::test]
    async fn a_note_without_words_has_no_lines_and_the_longest_has_a_few() {
        assert_eq!(understood("").await, []);
        assert_eq!(understood(" \n\t").await, []);
        assert_eq!(understood("🪑🪑👍").await, []);
        let long = understood(&"é".repeat(4096)).await;
        assert_eq!(long.first().unwrap().object.chars().count(), OBJECT_CHARS_MAX);
        assert!(understood(&"lampe <b>& 🪑 ".repeat(315)).await.len() <= LINES_MAX);
    }

    #[tokio::test]
    async fn notes_that_come_before_the_training_is_over_wait_for_the_same_one() {
        let embedded = Embedded::start(Arc::new(Taxonomy::built_in().unwrap()));
        let (one, other) = tokio::join!(
            embedded.understand("livre", Language::Fr),
            embedded.understand("livre", Language::En)
        );
        assert_eq!(one.unwrap(), other.unwrap());
        let trained = std::ptr::from_ref(embedded.classifier().await.unwrap());
        assert!(std::ptr::eq(trained, embedded.clone().classifier().await.unwrap()));
    }
}
