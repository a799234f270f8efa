//! What people have their hands on.

/// MAN - OFF - AUTO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    Auto,
    Off,
    Manual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Latches mechanically until it is released.
    Stop,
    Fire,
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panel {
    pub selector: Selector,
    pub stop: bool,
    pub fire: bool,
    pub reset: bool,
    /// In MANUAL the key at the panel holds the ignition.
    pub hand_run: bool,
}

impl Panel {
    pub const AT_REST: Self =
        Self { selector: Selector::Auto, stop: false, fire: false, reset: false, hand_run: false };

    pub fn press(&mut self, button: Button, is: bool) {
        match button {
            Button::Stop => self.stop = is,
            Button::Fire => self.fire = is,
            Button::Reset => self.reset = is,
        }
    }
}
