//! An instance's configuration, parsed.

use chain_types::manifest::{Field, Guard, Instance, ItemCode, LotField, Ordered, ShipField};

/// What an instance of this module accepts.
#[derive(Debug, Clone)]
pub struct TraceConfig {
    pub item: ItemCode,
    pub lot_max: usize,
    pub product: Ordered<Field>,
    pub lot_required: Vec<LotField>,
    pub needs_destination: bool,
    pub holder_of_record: bool,
    pub receiver_matches: bool,
    pub no_event_after_destroyed: bool,
    pub not_expired_to_sell: bool,
    pub sold_once: bool,
    pub recall_blocks_sale: bool,
    pub recall_closes_when_all_disposed: bool,
}

impl TraceConfig {
    /// The configuration of a checked manifest.
    pub fn of(instance: &Instance) -> Option<Self> {
        let profile = instance.profile.as_ref()?;
        let has = |guard| instance.guards.contains(&guard);
        Some(Self {
            item: profile.codes.item,
            lot_max: profile.codes.lot.max,
            product: profile.product.iter().map(|(name, field)| (name.to_owned(), field.0.clone())).collect(),
            lot_required: profile.lot_required.clone(),
            needs_destination: profile.on_ship.contains(&ShipField::Destination),
            holder_of_record: has(Guard::HolderOfRecord),
            receiver_matches: has(Guard::ReceiverMatches),
            no_event_after_destroyed: has(Guard::NoEventAfterDestroyed),
            not_expired_to_sell: has(Guard::NotExpiredToSell),
            sold_once: has(Guard::SoldOnce),
            recall_blocks_sale: has(Guard::RecallBlocksSale),
            recall_closes_when_all_disposed: has(Guard::RecallClosesWhenAllDisposed),
        })
    }

    /// Whether a product may have this code.
    pub fn accepts_product(&self, code: &str) -> bool {
        // Ids of lots hold the length of the code in one byte; every check is for shorter codes.
        code.len() <= 64 && self.item.check.accepts(code)
    }

    /// The product of an item's code, if the code has the right form.
    pub fn product_of<'c>(&self, code: &'c str) -> Option<&'c str> {
        let (product, serial) = code.split_at_checked(code.len().checked_sub(self.item.serial.len())?)?;
        (self.accepts_product(product) && self.item.serial.accepts(serial)).then_some(product)
    }
}
