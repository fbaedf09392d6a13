"""Signs of models that do not load: of another version, damaged, left out, or made for another machine."""

from __future__ import annotations

from mldeploy.app.signs.sign import RETRAIN, About, Sign

_MODEL = About.MODEL
_OTHER = "the model does not load: it was saved with another version of {library} ({error})"
_ESTIMATOR = (
    r"\w*(?:Classifier|Regressor|Regression|Imputer|Encoder|Scaler|Transformer|Vectorizer|Pipeline|Binarizer|Forest|"
    r"Estimator|PCA|SVC|SVR|KMeans|NB|Ridge|Lasso|ElasticNet|Normalizer|Discretizer|Tree|TreePredictor)"
)

PICKLES = (
    Sign(
        r"No module named '(?P<module>numpy\._core[\w.]*)'",
        "the model does not load: it was saved with NumPy 2, and the image has NumPy 1",
        "Pin in {requirements} the numpy that the model was trained with.",
        _MODEL,
    ),
    Sign(
        r"(?P<error>(?:is not a known BitGenerator module|__(?:randomstate|generator|bit_generator)_ctor\(\)).*)",
        "the model does not load: it was saved with another version of NumPy ({error})",
        "Pin in {requirements} the numpy that the model was trained with, or train it again.",
        _MODEL,
    ),
    Sign(
        r"Can't get attribute '(?P<name>\w+)' on <module '(?P<module>__main__|__mp_main__)'",
        "the model does not load: it was saved with {name} defined in {module}, which is another module here",
        "Move {name} to a module of its own, import it where the model is trained, and save the model again.",
        _MODEL,
    ),
    Sign(
        r"Can't get attribute '(?P<name>\w+)' on <module '(?P<package>\w+)[\w.]*' from '[^']*-packages/",
        "the model does not load: it was saved with another version of {library}, which has no {name}",
        RETRAIN,
        _MODEL,
    ),
    Sign(
        r"Can't get attribute '(?P<name>\w+)' on <module '(?P<module>[\w.]+)'",
        "the model does not load: it was saved with {name} defined in {module}, which is another module here",
        "Move {name} to a module of its own, import it where the model is trained, and save the model again.",
        _MODEL,
    ),
    Sign(
        r"(?P<error>'(?:XGB\w+|Booster)' object has no attribute '\w+')",
        "the model does not fit: it was saved with another version of xgboost ({error})",
        "Pin in {requirements} the xgboost that the model was trained with, or train it again.",
        _MODEL,
    ),
    Sign(
        r"(?P<error>'LGBM\w+' object has no attribute '\w+')",
        "the model does not fit: it was saved with another version of lightgbm ({error})",
        "Pin in {requirements} the lightgbm that the model was trained with, or train it again.",
        _MODEL,
    ),
    Sign(
        rf"(?P<error>'{_ESTIMATOR}' object has no attribute '\w+'|'super' object has no attribute '__sklearn_tags__')",
        "the model does not fit: it was probably saved with another version of scikit-learn ({error})",
        "Pin in {requirements} the scikit-learn that the model was trained with, or train it again.",
        _MODEL,
    ),
    Sign(
        r"UnpicklingError: invalid load key, '(?P<key>v)'",
        "the model does not load: its file is a Git LFS pointer, not the model",
        "Fetch the model with `git lfs pull` and deploy again.",
        _MODEL,
    ),
    Sign(
        r"UnpicklingError: invalid load key, '<'",
        "the model does not load: its file is a web page, not the model",
        "Download the model again, signed in or from the address of the file itself.",
        _MODEL,
    ),
    Sign(
        r"Weights only load failed",
        "the model does not load: PyTorch 2.6 and later load only weights unless the code says otherwise",
        "Save the `state_dict`, or load a model that you trust with `torch.load(…, weights_only=False)`.",
        _MODEL,
    ),
    Sign(
        r"(?P<error>UnpicklingError: .+|EOFError: Ran out of input|ValueError: unsupported pickle protocol.*)",
        "the model does not load: {error}",
        "Its file is damaged, or another library or Python saved it: save it with the versions in {requirements}.",
        _MODEL,
    ),
    Sign(
        r"(?P<error>ValueError: node array from the pickle has an incompatible dtype)",
        "the model does not load: it was saved with another version of scikit-learn ({error})",
        "Pin in {requirements} the scikit-learn that the model was trained with, or train it again.",
        _MODEL,
    ),
    Sign(
        r"(?P<error>TypeError: code(?:\(\)| expected).*arguments?.*|bad marshal data.*)",
        "the model does not load: it contains functions that another version of Python saved ({error})",
        "Choose the Python that trained it with `base_image` in [build] of mldeploy.toml, or train it again.",
        _MODEL,
    ),
    Sign(
        r"cannot instantiate '(?P<name>WindowsPath|PosixPath)' on your system",
        "the model does not load: it contains a path of another operating system ({name})",
        "Save the model without paths, or train it on Linux.",
        _MODEL,
    ),
)

FORMATS = (
    Sign(
        r"SafetensorError: (?P<error>.+)",
        "the model does not load: SafetensorError: {error}",
        "Its file is damaged, or a Git LFS pointer: fetch it with `git lfs pull`, or save it again.",
        _MODEL,
    ),
    Sign(
        r"(?P<error>(?:XGBoostError|LightGBMError|CatBoostError): .*)",
        "the library of the model rejects it: {error}",
        "If it is about the model's file: it is damaged, missing, or of another version. Pin in {requirements} the "
        "version that saved it, or save it again in the library's own format.",
        _MODEL,
    ),
    Sign(
        r"(?P<error>Unrecognized keyword arguments.*batch_shape.*|Error when deserializing class.*|"
        r"Could not (?:deserialize|locate) class.*|Unknown layer: .*|File format not supported: .*)",
        "the model does not load: it was saved with another version of Keras ({error})",
        "Pin in {requirements} the keras and tensorflow that the model was trained with: Keras 3 and Keras 2 differ.",
        _MODEL,
    ),
    Sign(
        r"(?P<error>Error\(s\) in loading state_dict.*|PytorchStreamReader failed.*)",
        "the model does not load: {error}",
        "Its file is damaged, or does not belong to the class that the code creates: save it again.",
        _MODEL,
    ),
    Sign(
        r"(?i)deserialize object on a CUDA device|Torch not compiled with CUDA|Found no NVIDIA driver|"
        r"No CUDA GPUs are available|CUDA driver (?:initialization failed|version is insufficient)|libcuda\.so",
        "the app or its model wants a GPU, and the container has none",
        'Load the model with `map_location="cpu"`, and choose the device by `torch.cuda.is_available()`.',
        _MODEL,
    ),
    Sign(
        r"CUDA out of memory|OutOfMemoryError: CUDA",
        "the GPU has too little memory for the model",
        "Choose a larger GPU, a smaller model or fewer `workers`.",
        About.MEMORY,
    ),
)

DOWNLOADS = (
    Sign(
        r"GatedRepoError|[Cc]annot access gated repo",
        "the model on Hugging Face is given only to those who accepted its terms",
        "Put the model into the folder and load it from there, or set `HF_TOKEN` in the file that `env_file` names.",
        _MODEL,
    ),
    Sign(
        r"Can't load (?:the )?(?:tokenizer|model|configuration|config|feature extractor|image processor)\w* "
        r"(?:for|of) '(?P<name>[^']+)'",
        "the app cannot load {name}: its folder is not in the image, or it is downloaded from Hugging Face in vain",
        "Put the model into the folder (`snapshot_download(…, local_dir=…)`), load it from there, and check that "
        ".dockerignore does not exclude it.",
        _MODEL,
    ),
    Sign(
        r"couldn't connect to '?https?://(?P<host>huggingface\.co)|host='huggingface\.co'.*Max retries exceeded|"
        r"HfHubHTTPError|LocalEntryNotFoundError|"
        r"Cannot find the requested files in the (?:disk|local) cache|outgoing traffic has been disabled",
        "the app downloads a model from Hugging Face when it starts, and cannot",
        "Put the model into the folder (`snapshot_download(…, local_dir=…)`), load it from there, and set "
        '`HF_HUB_OFFLINE = "1"` in [app.env]; or let the container reach huggingface.co.',
        _MODEL,
    ),
    Sign(
        r"\[E050\] Can't find model '(?P<name>[^']+)'|Can't find model '(?P<other>\w+)'",
        "spaCy's model {name} is not in the image: it is a package of its own",
        "Add its wheel to {requirements}: `python -m spacy info {name} --url` prints the address, for a line "
        "`{name} @ ADDRESS`.",
        _MODEL,
    ),
    Sign(
        r"Resource (?:\x1b\[\d+m)?(?P<name>[\w./-]+)(?:\x1b\[0m)? not found",
        "NLTK's data {name} is not in the image",
        "Put it into the folder (`python -m nltk.downloader -d nltk_data {name}`) and set "
        '`NLTK_DATA = "/app/nltk_data"` in [app.env] of mldeploy.toml.',
        _MODEL,
    ),
    Sign(
        r"(?P<error>\S+ does not appear to have a file named [\w.]+|is not a local folder and is not a valid model)",
        "the model's folder is not in the image: {error}",
        "Put it into the app's folder, and check that .dockerignore does not exclude it.",
        _MODEL,
    ),
)
