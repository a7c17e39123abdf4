//! Where the city's objects live: files of the home, or custom resources of the cluster that the console runs in. One seam with two
//! implementations, so that services and pages do not know which; it stores and fetches, and judges nothing.
//!
//! An object that is replaced carries what it was read with: somebody else's change in between is an error of its own, never overwritten
//! where that can be known. What the API server's admission refuses comes back as its sentence.

pub mod cluster;
mod home;
pub mod tenant;

pub use cluster::Cluster;

use crate::error::Error;
use crate::provisioner::home::{FileError, Home};
use crate::text::Message;
use operator_api::{
    Application, ApplicationSpec, ApplicationStatus, ChainSpec, Kind, Name, Object, Tenant, TenantSpec,
};
use std::path::PathBuf;

/// The city's objects.
#[derive(Clone)]
pub enum Objects {
    Home(Home),
    Cluster(Cluster),
}

/// A kind with its place in both.
pub trait Stored: Kind<Status: Clone> + Clone {
    /// In a cluster it lies in its tenant's namespace; otherwise it is the cluster's.
    const NAMESPACED: bool;
    /// In a cluster its end is asked for with its name repeated.
    const DELETION_IS_CONFIRMED: bool = false;

    /// Its file in the home.
    fn file(home: &Home, name: &Name) -> PathBuf;
}

impl Stored for TenantSpec {
    const NAMESPACED: bool = false;

    fn file(home: &Home, name: &Name) -> PathBuf {
        home.tenant(name)
    }
}

impl Stored for ChainSpec {
    const NAMESPACED: bool = true;
    const DELETION_IS_CONFIRMED: bool = true;

    fn file(home: &Home, name: &Name) -> PathBuf {
        home.chain_object(name)
    }
}

impl Stored for ApplicationSpec {
    const NAMESPACED: bool = true;

    fn file(home: &Home, name: &Name) -> PathBuf {
        home.application(name)
    }
}

/// Why an object could not be stored or fetched.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Admission or the kind's schema said no, in a sentence for people.
    #[error("{0}")]
    Refused(String),
    #[error("there is an object of this name already")]
    Taken,
    #[error("somebody else changed it in the meantime; look at it again and repeat the change")]
    Changed,
    #[error("there is no such object")]
    Missing,
    #[error("the cluster's API server can't be used: {0}")]
    Unreachable(String),
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<ObjectError> for Error {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Refused(sentence) => Self::conflict("object-refused", Message::Plain(sentence)),
            ObjectError::Taken => Self::conflict("object-taken", Message::new("object-taken")),
            ObjectError::Changed => Self::conflict("object-changed", Message::new("object-changed")),
            ObjectError::Missing => Self::NotFound,
            ObjectError::Unreachable(reason) => {
                tracing::warn!(%reason, "the cluster's API server can't be used");
                Self::unavailable("cluster-unreachable", Message::new("cluster-unreachable"))
            }
            ObjectError::File(error) => anyhow::Error::from(error).into(),
        }
    }
}

/// The object as a person would write it: without what the API server and `kubectl` keep beside it.
pub fn as_written<S: Stored>(object: &Object<S>) -> Object<S> {
    let known = &object.metadata;
    let mut object = Object::new(known.name.clone(), object.spec.clone());
    object.metadata.namespace = known.namespace.clone();
    object.metadata.labels = known.labels.clone();
    object.metadata.annotations = known.annotations.clone();
    object.metadata.annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    object.metadata.generation = known.generation;
    object.metadata.creation_timestamp = known.creation_timestamp;
    object.metadata.deletion_timestamp = known.deletion_timestamp;
    object
}

impl Objects {
    /// Stores a new object of `tenant` and returns it as it is stored.
    pub async fn create<S: Stored>(&self, tenant: &Name, object: &Object<S>) -> Result<Object<S>, ObjectError> {
        match self {
            Self::Home(home) => home::create(home, object),
            Self::Cluster(cluster) => cluster.create(tenant, object).await,
        }
    }

    /// Stores the object's spec in place of the one that it was read with, and returns it as it is stored.
    pub async fn replace<S: Stored>(&self, object: &Object<S>) -> Result<Object<S>, ObjectError> {
        match self {
            Self::Home(home) => home::replace(home, object),
            Self::Cluster(cluster) => cluster.replace(object).await,
        }
    }

    /// Asks for the object's end. It stays until whoever looks after it is done; returned as it is then.
    pub async fn delete<S: Stored>(&self, object: &Object<S>) -> Result<Object<S>, ObjectError> {
        match self {
            Self::Home(home) => home::delete(home, object),
            Self::Cluster(cluster) => cluster.delete(object).await,
        }
    }

    pub async fn tenant(&self, name: &Name) -> Result<Option<Tenant>, ObjectError> {
        match self {
            Self::Home(home) => home::read(home, name),
            Self::Cluster(cluster) => cluster.tenant(name).await,
        }
    }

    /// Names of all applications that are wanted.
    pub fn application_names(&self) -> Vec<Name> {
        match self {
            Self::Home(home) => home.application_names().into_iter().collect(),
            Self::Cluster(cluster) => cluster.application_names(),
        }
    }

    /// As it was seen last.
    pub fn application(&self, name: &Name) -> Result<Option<Application>, ObjectError> {
        match self {
            Self::Home(home) => home::read(home, name),
            Self::Cluster(cluster) => Ok(cluster.application(name)),
        }
    }

    /// The status that was reported last.
    pub fn application_status(&self, object: &Application) -> ApplicationStatus {
        match self {
            Self::Home(home) => home::application_status(home, object.name()),
            Self::Cluster(_) => object.status.clone().unwrap_or_default(),
        }
    }

    /// Reports; nothing is written if nothing changed.
    pub async fn report_application(&self, object: &Application, new: &ApplicationStatus) -> Result<(), ObjectError> {
        if self.application_status(object) == *new {
            return Ok(());
        }
        match self {
            Self::Home(home) => home::report_application(home, object.name(), new),
            Self::Cluster(cluster) => cluster.report_application(object, new).await,
        }
    }

    /// Makes sure that the object cannot vanish before the console has uninstalled what it stands for.
    pub async fn hold_application(&self, object: &Application) -> Result<(), ObjectError> {
        match self {
            // Here an end is asked for inside the file; only the console removes it.
            Self::Home(_) => Ok(()),
            Self::Cluster(cluster) => cluster.hold_application(object).await,
        }
    }

    /// The application is uninstalled and nothing more is wanted. Gone already is as good.
    pub async fn release_application(&self, object: &Application) -> Result<(), ObjectError> {
        match self {
            Self::Home(home) => {
                home::release_application(home, object.name());
                Ok(())
            }
            Self::Cluster(cluster) => cluster.release_application(object).await,
        }
    }

    /// Withdraws the wish for the object's end; whether that is possible here: Kubernetes never takes such a wish back.
    pub fn keep_application(&self, object: &Application) -> Result<bool, ObjectError> {
        match self {
            Self::Home(home) => home::keep_application(home, object).map(|()| true),
            Self::Cluster(_) => Ok(false),
        }
    }

    /// The objects are custom resources that the operator carries out.
    pub fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}
